// A shop's checkout page, of another origin than Tillwatch and under a strict content security policy, is walked
// through in Chromium. Prints what the page itself noticed, as JSON. Called by tests/it/beacon_browser.rs.
//
//   NODE_PATH=/tmp/screens/node_modules node …/tests/screens/beacon.mjs <Tillwatch's origin> <site> <port of the shop>
import { createRequire } from "node:module";
import { createServer } from "node:http";

const require = createRequire(process.env.NODE_PATH ? process.env.NODE_PATH + "/" : import.meta.url);
const { chromium } = require("playwright-core");
const [till, site, port] = process.argv.slice(2);
const shop = `http://127.0.0.1:${port}`;
const policy = `default-src 'none'; script-src 'self' ${till}; connect-src ${till}; require-trusted-types-for 'script'`;
const beacon = `<script src="${till}/beacon.js" async data-site="${site}" data-pay="#pay"`;
const pages = {
  "/checkout": `<!doctype html><title>Checkout</title><form action="/thanks">
    <input name="email" type="email" required><input name="cvc" pattern="[0-9]{3}" required>
    <input type="radio" name="payment_method" value="WeChat Pay" id="wechat"><input id="phone" name="phone">
    <button id="pay">Pay</button></form><p id="state"></p><script src="/shop.js"></script>${beacon}></script>`,
  "/thanks": `<!doctype html><title>Thanks</title><p>Thanks</p>${beacon} data-step="purchase" data-order="A1"></script>`,
  // The shop's own script: a check of its own, and a count of what reached it.
  "/shop.js": `addEventListener("error", () => document.getElementById("state").dataset.failed = "yes");
    document.getElementById("phone").addEventListener("blur", (e) => e.target.setAttribute("aria-invalid", "true"));`,
};
const server = createServer((request, response) => {
  const path = request.url.split("?")[0];
  const body = pages[path];
  response.writeHead(body ? 200 : 404, {
    "content-type": path.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8",
    "content-security-policy": policy,
  });
  response.end(body || "");
}).listen(Number(port), "127.0.0.1");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const context = await browser.newContext();
const page = await context.newPage();
const thrown = [];
const refused = [];
page.on("pageerror", (error) => thrown.push(String(error)));
page.on("console", (message) => /Content Security Policy|CORS/.test(message.text()) && refused.push(message.text()));
const begun = Date.now();
await page.goto(shop + "/checkout");
await page.waitForTimeout(300);
await page.fill("[name=email]", "not a mail address");
await page.click("#pay");
await page.click("#phone");
await page.fill("#phone", "13800138000");
await page.fill("[name=email]", "li@example.com");
await page.fill("[name=cvc]", "737");
await page.check("#wechat");
await page.waitForTimeout(300);
const failed = await page.evaluate(() => document.getElementById("state").dataset.failed);
await Promise.all([page.waitForURL(/thanks/), page.click("#pay")]);
await page.waitForTimeout(500);
const cookies = (await context.cookies()).length;
const stored = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]);
const title = await page.title();
await browser.close();
server.close();
console.log(JSON.stringify({ thrown, refused, failed, cookies, stored, title, ms: Date.now() - begun }));
