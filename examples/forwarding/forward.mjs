// Takes a provider's notices and passes a copy of each on to Tillwatch. Node 18 or later, no packages.
//
// PORT                   where to listen (default 8000; 0 takes a free one)
// TILLWATCH_FORWARD_URL  the address that ends in /forwarded, from Settings, Callback addresses
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const SIGNED = ["content-type", "wechatpay-", "stripe-signature", "x-webhook-signature-"];
const PAUSES_MS = [1_000, 10_000, 60_000, 600_000];

/** Passes a notice on, byte for byte, and tries again while Tillwatch is away. Do not await it before your own answer. */
export async function forward(body, headers) {
  const kept = Object.entries(headers).filter(([name]) => SIGNED.some((start) => name.toLowerCase().startsWith(start)));
  for (const rest of [...PAUSES_MS, null]) {
    try {
      const answer = await fetch(process.env.TILLWATCH_FORWARD_URL, {
        method: "POST", body, headers: kept, signal: AbortSignal.timeout(5_000),
      });
      if (answer.ok) return;
      if (answer.status < 500 && answer.status !== 429) {
        console.log("Tillwatch does not believe this notice:", answer.status);
        return;
      }
    } catch (away) {
      console.log("Tillwatch is away:", away.message);
    }
    if (rest !== null) await pause(rest);
  }
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  // The raw bytes: a body parser that hands out an object has thrown them away.
  forward(Buffer.concat(pieces), request.headers);
  // Here the shop's own system verifies the notice and marks the order as paid, as it did before.
  response.end("success");
});
server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => console.log("listens on", server.address().port));
