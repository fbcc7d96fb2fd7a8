// The steps of a run in which Music Assistant itself speaks, over the app's own channel. No DOM.

import { chosenPair, whyClosed } from "./connection_steps.js";
import { duration } from "./report.js";
import { Stop, until, within } from "./waiting.js";

const SPEAKS_WITHIN = 10;
const MEASURE_SECONDS = 2;
const GIVES_UP_AFTER = 1; // an old home doesn't answer such requests
const AT_ONCE = 4; // requests under way, so that the home is never idle
const MOST_BYTES = 4 * 1024 * 1024; // mobile data costs money
const SLOW_MBITS = 0.5;
const LEAST_MBITS = 0.05; // less would be shown as 0.0

/** Music Assistant greets each client with what it is (`server_info`), before anybody logs in. */
export async function hearMusicAssistant(context) {
  const { connection, channel, heard, signal } = context;
  const isGreeting = (message) => typeof message?.server_version === "string";
  const greeting = () => heard.map(parsed).find(isGreeting);
  const settled = until(channel, ["message", "close"], () => greeting() ?? channel.readyState === "closed");
  await within(settled, SPEAKS_WITHIN, "music-silent", signal);
  const info = greeting();
  if (!info) throw new Stop(await whyClosed(connection));
  context.version = info.server_version.slice(0, 40);
  return { found: "api", values: { version: context.version } };
}

/** How long a packet takes, and how much comes from the home in two seconds, by what anybody may ask it for. */
export async function measure(context) {
  const { connection, channel, signal } = context;
  context.tell("speed", { status: "run", isMeasuring: true });
  const rate = await within(throughput(channel), 2 * MEASURE_SECONDS, "unexpected", signal);
  if (context.heard.map(parsed).some((message) => message?.message_id === "connection" && message.error_code === 503)) {
    throw new Stop("setup-required");
  }
  if (channel.readyState !== "open" || connection.connectionState !== "connected") throw new Stop(await whyClosed(connection));
  const rtt = await roundTrip(connection);
  if (rtt === undefined && rate === undefined) return { found: "unmeasured" };
  const values = { rtt: rtt === undefined ? "?" : duration(rtt), rate: rate?.toFixed(rate < 10 ? 1 : 0) };
  if (rate === undefined) return { found: "rtt", values };
  return rate < SLOW_MBITS ? { warning: "slow-data", values } : { found: "speed", values };
}

/** Megabits a second that come, by fetching the first file of the web app again and again; undefined: too few to tell. */
function throughput(channel) {
  return new Promise((resolve) => {
    const began = performance.now();
    let [bytes, asked] = [0, 0];
    const ask = () => {
      if (channel.readyState !== "open") return;
      channel.send(JSON.stringify({ type: "http-proxy-request", id: `check-${asked++}`, method: "GET", path: "/", headers: {} }));
    };
    const finish = () => {
      channel.removeEventListener("message", take);
      channel.removeEventListener("close", finish);
      [quiet, timer].forEach(clearTimeout);
      const seconds = (performance.now() - began) / 1000;
      const rate = (8 * bytes) / 1e6 / seconds;
      resolve(rate < LEAST_MBITS ? undefined : rate);
    };
    const quiet = setTimeout(() => bytes || finish(), GIVES_UP_AFTER * 1000);
    const timer = setTimeout(finish, MEASURE_SECONDS * 1000);
    function take({ data }) {
      const message = parsed(data);
      const isPart = message?.type === "__chunk__";
      if (!isPart && message?.type !== "http-proxy-response") return;
      bytes += data.length;
      if (bytes >= MOST_BYTES) finish();
      // A big reply comes in parts, in order.
      else if (!isPart || message.seq === message.count - 1) ask();
    }
    channel.addEventListener("message", take);
    channel.addEventListener("close", finish);
    for (let each = 0; each < AT_ONCE; each += 1) ask();
  });
}

/** Milliseconds there and back by ICE's own checks; undefined where the browser doesn't say. */
async function roundTrip(connection) {
  for (let tries = 0; tries < 3; tries += 1) {
    const pair = await chosenPair(connection);
    const seconds = pair?.currentRoundTripTime ?? pair?.totalRoundTripTime / pair?.responsesReceived;
    if (Number.isFinite(seconds)) return seconds * 1000;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return undefined;
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
