// Takes pictures of every page, in both languages, on a phone and on a desk, light and dark, and asks axe-core what a
// screen reader would stumble over. Also says what each page weighs over the wire.
//
// Needs a running server with data (`tillwatch demo`), Chromium, and outside of this repository:
//   mkdir /tmp/screens && cd /tmp/screens && npm install playwright-core axe-core
//   NODE_PATH=/tmp/screens/node_modules node …/tests/screens/shoot.mjs http://127.0.0.1:8080 owner@example.com password out [only]
//
// CHROMIUM names the browser (default /usr/bin/chromium). Exit 1 when a page logs an error or axe finds something.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";

const require = createRequire(process.env.NODE_PATH ? process.env.NODE_PATH + "/" : import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [origin, email, password, out = "out", only] = process.argv.slice(2);
const store = process.env.STORE || "all";
const pages = {
  overview: `/s/${store}/overview`,
  "overview-30d": `/s/${store}/overview?period=30d&by=method`,
  "daily-close": `/s/${store}/daily-close?period=yesterday`,
  fees: `/s/${store}/fees?period=30d`,
  reconciliation: `/s/${store}/reconciliation`,
  exceptions: `/s/${store}/reconciliation/exceptions`,
  closings: `/s/${store}/reconciliation/closings`,
  accounts: `/s/${store}/reconciliation/accounts`,
  conversion: `/s/${store}/conversion?period=30d`,
  categories: `/s/${store}/categories?period=30d`,
  customers: `/s/${store}/customers?period=30d`,
  transactions: `/s/${store}/transactions`,
  broken: `/s/${store}/fees?period=custom&from=2026-02-30`,
  empty: `/s/${store}/fees?period=custom&from=2001-01-01&to=2001-01-02`,
  unresolved: `/s/${store}/unresolved`,
  alerts: `/s/${store}/alerts`,
  imports: `/s/${store}/imports`,
  status: `/s/${store}/status`,
  settings: `/s/${store}/settings`,
  fetching: `/s/${store}/settings/fetching`,
  beacon: `/s/${store}/settings/beacon`,
  "go-live": `/s/${store}/settings/go-live`,
};
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
let wrong = 0;

async function signedIn(language, width, scheme) {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 900 },
    colorScheme: scheme,
    locale: language === "en" ? "en-GB" : "zh-CN",
  });
  await context.addCookies([{ name: "lang", value: language, url: origin }]);
  const page = await context.newPage();
  await page.goto(origin + "/");
  if (await page.$("input[type=password]")) {
    await page.fill("input[type=email], input[name=email]", email);
    await page.fill("input[type=password]", password);
    await Promise.all([page.waitForNavigation(), page.click("main button")]);
  }
  return { context, page };
}

async function shoot(page, name, path, check) {
  const problems = [];
  const note = (message) => message.type() === "error" && problems.push(message.text());
  page.on("console", note);
  let bytes = 0;
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
  const started = Date.now();
  const answer = await page.goto(origin + path, { waitUntil: "load" });
  const took = Date.now() - started;
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
  let findings = [];
  if (check) {
    const result = await page.evaluate(`${axe}; axe.run()`);
    findings = result.violations.map((one) => `${one.id} (${one.nodes.length}): ${one.nodes[0].html.slice(0, 120)}`);
  }
  const expected = name.includes("broken") ? 400 : 200;
  const bad = answer.status() !== expected || overflow > 0 || findings.length || (expected === 200 && problems.length);
  wrong += bad ? 1 : 0;
  console.log(`${bad ? "✗" : "✓"} ${name} ${answer.status()} ${(bytes / 1024).toFixed(1)} kB ${took} ms${overflow > 0 ? ` overflow ${overflow}px` : ""}`);
  for (const line of [...findings, ...problems]) console.log("    " + line);
  page.off("console", note);
  await session.detach();
}

for (const [language, width, scheme] of [
  ["zh-Hans", 1280, "light"],
  ["en", 1280, "dark"],
  ["zh-Hans", 390, "dark"],
  ["en", 390, "light"],
]) {
  const { context, page } = await signedIn(language, width, scheme);
  for (const [name, path] of Object.entries(pages)) {
    if (only && !only.split(",").includes(name)) continue;
    await shoot(page, `${name}-${language}-${width}-${scheme}`, path, true);
  }
  await context.close();
}
await browser.close();
process.exit(wrong ? 1 : 0);
