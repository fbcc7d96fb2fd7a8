// Is each STUN and TURN server reachable from here? One throwaway peer connection for each address. No DOM.

import { parse } from "./candidates.js";
import { duration } from "./report.js";

const PATIENCE = 5000;
const MOST = 12;

/** [{url, server}] for each of the addresses in a list of ICE servers, whose `urls` is a string or a list. */
export function addresses(iceServers) {
  return iceServers.flatMap((server) => {
    const urls = Array.isArray(server.urls) ? server.urls : [server.urls ?? server.url];
    return urls.filter((url) => typeof url === "string").map((url) => ({ url, server: { ...server, urls: url } }));
  }).slice(0, MOST);
}

/** Whether there are relays, and all of them are to be reached by UDP alone (RFC 7065). */
export function relaysNeedUdp(all) {
  const relays = all.filter(({ url }) => kindOf(url) === "relay");
  return relays.length > 0 && relays.every(({ url }) => /^turn:/i.test(url) && !/[?&]transport=tcp\b/i.test(url));
}

/** One line about one server (see `run`), without its credentials. */
export function describe({ url, outcome: found, ms }) {
  return { code: found, what: url.split("?")[0], time: duration(ms) };
}

/** "relay", "stun" or "bad", by what the address promises. */
export function kindOf(url) {
  if (/^turns?:/i.test(url)) return "relay";
  return /^stuns?:/i.test(url) ? "stun" : "bad";
}

/** What gathering brought: "ok", "refused" (credentials), "unreachable", or "same" (it answered: there is no NAT here). */
export function outcome(kind, candidates, errors, isComplete) {
  if (candidates.some((each) => each.type === (kind === "relay" ? "relay" : "srflx"))) return "ok";
  if (errors.some((code) => code >= 400 && code < 500)) return "refused";
  return kind === "stun" && isComplete && !errors.length ? "same" : "unreachable";
}

/** {url, kind, outcome, ms} for one address. Never throws. */
export async function probe({ url, server }, signal) {
  const began = performance.now();
  const kind = kindOf(url);
  const found = [];
  const errors = [];
  let connection;
  try {
    const iceTransportPolicy = kind === "relay" ? "relay" : "all";
    connection = new RTCPeerConnection({ iceServers: [server], iceTransportPolicy });
    const done = new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE, false);
      const finish = () => { clearTimeout(timer); resolve(true); };
      signal.addEventListener("abort", finish);
      connection.onicecandidateerror = ({ errorCode }) => errors.push(errorCode);
      connection.onicecandidate = ({ candidate }) => {
        const read = candidate?.candidate && parse(candidate.candidate);
        if (read) found.push(read);
        if (!candidate || outcome(kind, found, errors) === "ok") finish();
      };
    });
    connection.createDataChannel("probe");
    await connection.setLocalDescription();
    const isComplete = await done;
    return { url, kind, outcome: outcome(kind, found, errors, isComplete), ms: performance.now() - began };
  } catch {
    return { url, kind, outcome: "bad", ms: performance.now() - began };
  } finally {
    connection?.close();
  }
}
