// The steps of a run between this device and the server. No DOM.

import { fetchJson } from "../fetching.js";
import { isLocal } from "./candidates.js";
import * as remoteId from "./remote_id.js";
import { Signaling } from "./signaling.js";
import { countDown, Stop, within } from "./waiting.js";

const OPENS_WITHIN = 10;
const REQUEST_WITHIN = 30; // as long as the app waits
const REFUSED_WITHIN = 1.5; // the server refuses at once, or waits for a home that it expects back
const PARKED = 20; // seconds for which it waits (docs/protocol.md, "Loss and grace")

export function checkId({ id }) {
  if (typeof RTCPeerConnection === "undefined") throw new Stop("browser-too-old");
  const kind = remoteId.kind(id);
  if (kind === "bad" || kind === "mistyped") throw new Stop(`id-${kind}`);
  return kind === "fingerprint" ? { found: "id" } : { warning: "old-id" };
}

export async function openWebSocket(context) {
  const { place, signal } = context;
  const url = new URL("/ws", place.href);
  url.protocol = url.protocol.replace("http", "ws");
  context.signaling = new Signaling(url);
  const opened = Promise.race([context.signaling.opened, context.signaling.failed]);
  await within(opened, OPENS_WITHIN, "server-silent", signal);
  if (url.protocol === "wss:") return { found: "encrypted" };
  return isLocal(url.hostname) ? { found: "local" } : { warning: "unencrypted" };
}

/** Is the home there? If it isn't, the server may expect it back: then it keeps our request, and we wait, too. */
export async function checkOnline(context) {
  try {
    return await findHome(context);
  } catch (stop) {
    const isUnknown = stop.code === "home-offline" || stop.code === "home-not-back";
    throw isUnknown && remoteId.isNearlyTodays(context.id) ? new Stop("id-mistyped") : stop;
  }
}

async function findHome(context) {
  const { signaling, id, signal } = context;
  const isOnline = await askForHome(id, signal);
  signaling.send("connect-request", { remoteId: id });
  context.connecting = signaling.first("connected");
  context.connecting.catch(() => {}); // who waits for it hears of that
  if (isOnline) return { found: "online" };
  return (await isRefusedSoon(context)) ? { found: "online" } : waitForReturn(context);
}

async function askForHome(id, signal) {
  const asked = fetchJson(`/api/check/${encodeURIComponent(id)}`, signal).catch(() => {
    throw new Stop(signal.aborted ? "stopped" : "server-unreachable");
  });
  const { reply, body } = await within(asked, OPENS_WITHIN, "request-timeout", signal);
  if (!body) throw new Stop("server-error", { text: `HTTP ${reply.status}` });
  if (reply.status === 403) throw new Stop("not-allowed");
  if (reply.status === 429) throw new Stop(body.retryAfter ? "rate-limited" : "blocked", { seconds: body.retryAfter });
  return body.online === true;
}

/** Throws what the server refuses with, returns true if it goes on at once, false if neither comes. */
async function isRefusedSoon({ connecting, signal }) {
  try {
    await within(connecting, REFUSED_WITHIN, "silence", signal);
    return true;
  } catch (stop) {
    if (stop.code !== "silence") throw stop;
    return false;
  }
}

async function waitForReturn(context) {
  const { connecting, tell, signal } = context;
  const began = performance.now();
  const end = countDown(PARKED, (seconds) => tell("online", { status: "run", away: seconds }));
  try {
    await within(connecting, REQUEST_WITHIN, "home-not-back", signal);
  } catch (stop) {
    throw stop.code === "home-offline" ? new Stop("home-not-back", stop.details) : stop;
  } finally {
    end();
    context.awayMs += performance.now() - began;
  }
  return { found: "returned" };
}

export async function waitUntilReady(context) {
  const connected = await within(context.connecting, REQUEST_WITHIN, "request-timeout", context.signal);
  context.sessionId = connected.sessionId;
  context.servers = Array.isArray(connected.iceServers) ? connected.iceServers : [];
  const { ready } = (await fetchTrace(context)) ?? {};
  return ready === false ? { warning: "not-ready" } : { found: "ready" };
}

/** What this server has seen of the session; undefined where it won't say. */
export async function fetchTrace({ sessionId }) {
  if (!sessionId) return undefined;
  try {
    const reply = await fetch(`/api/sessions/${encodeURIComponent(sessionId)}`);
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}
