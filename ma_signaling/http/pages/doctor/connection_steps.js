// The steps of a run between this device and the home, up to an open channel. No DOM.

import * as candidates from "./candidates.js";
import * as iceServers from "./ice_servers.js";
import * as remoteId from "./remote_id.js";
import { fetchTrace } from "./signaling_steps.js";
import { whyNoPath } from "./verdicts.js";
import { countDown, Stop, until, within } from "./waiting.js";

const ANSWER_WITHIN = 30;
const PATH_WITHIN = { any: 30, relay: 30, ipv6: 10 }; // browsers don't say that there is nothing to try by IPv6
const OFFER_WITHIN = 2;
const CHANNEL_WITHIN = 10;
const HANGS_UP_WITHIN = 1; // after its channel, where a home closes both
const LOOK_EVERY = 5; // seconds without an answer after which the server is asked (again) what it sees
const CHANNEL = "ma-api"; // what the home bridges to its API

/** Begin to ask each server; what they say comes later. */
export function probeServers(context) {
  const { servers, signal, tell } = context;
  const addresses = iceServers.addresses(servers);
  if (!addresses.length) return { warning: "no-ice-servers" };
  const began = performance.now();
  const stopping = new AbortController();
  context.stopProbing = () => stopping.abort();
  signal.addEventListener("abort", context.stopProbing);
  context.probing = Promise.all(addresses.map((each) => iceServers.probe(each, stopping.signal))).then((probes) => {
    if (stopping.signal.aborted) {
      tell("ice", { status: "stop" });
      return;
    }
    context.probes = probes;
    const good = probes.filter((each) => each.outcome === "ok" || each.outcome === "same").length;
    const warnings = warningsOf(addresses, good);
    const [warning] = warnings;
    const status = warning ? "warn" : "ok";
    const values = { good, all: probes.length };
    context.remarks.push(...warnings.map((code) => ({ code, values })));
    tell("ice", { status, ms: performance.now() - began, found: "ice", warning, values, lines: probes.map(iceServers.describe) });
  });
  return { later: true };
}

/** What is worth knowing of servers of which so many can be used: codes of advice.js. */
export function warningsOf(addresses, good) {
  const found = {
    "dead-ice-servers": good === 0,
    "some-ice-servers": good > 0 && good < addresses.length,
    "relays-udp-only": iceServers.relaysNeedUdp(addresses),
  };
  return Object.keys(found).filter((code) => found[code]);
}

export async function negotiate(context) {
  const { signaling, signal, only, servers } = context;
  const connection = connect({ iceServers: servers, iceTransportPolicy: only === "relay" ? "relay" : "all" });
  context.connection = connection;
  context.channel = connection.createDataChannel(CHANNEL, { ordered: true });
  context.channel.addEventListener("open", () => (context.hasOpened = true)); // a home may close it before anybody looks
  context.heard = []; // the home may speak before anybody asks
  context.channel.addEventListener("message", ({ data }) => context.heard.length < 10 && context.heard.push(data));
  const say = (type, data) => signaling.send(type, { remoteId: context.id, sessionId: context.sessionId, data });
  connection.addEventListener("icecandidate", ({ candidate }) => {
    const read = candidate?.candidate && candidates.parse(candidate.candidate);
    if (read && !isWanted(only, read)) return;
    if (read) context.local.push(read);
    if (candidate) say("ice-candidate", candidate.toJSON());
  });
  await connection.setLocalDescription();
  say("offer", { type: "offer", sdp: wanted(only, connection.localDescription.sdp) });
  const stopLooking = lookWhetherHomeIsAway(context);
  try {
    const answer = await within(signaling.first("answer"), ANSWER_WITHIN, "no-answer", signal);
    context.answer = answer.data;
  } catch (stop) {
    throw stop.code === "no-answer" ? await whyNoAnswer(context, stop) : stop;
  } finally {
    stopLooking();
  }
  return { found: "answer" };
}

function isWanted(only, candidate) {
  return only !== "ipv6" || candidate.family === "ipv6";
}

function wanted(only, sdp) {
  return only === "ipv6" ? candidates.onlyFamily(sdp, "ipv6") : sdp;
}

function connect(configuration) {
  try {
    return new RTCPeerConnection(configuration);
  } catch {
    throw new Stop("ice-servers-bad"); // as the app would
  }
}

/** Ask the server from time to time, and count down where the home has lost its connection. Returns what ends that. */
function lookWhetherHomeIsAway(context) {
  const began = performance.now();
  let [isOver, end, awaySince] = [false, null, 0];
  const timer = setInterval(async () => {
    const trace = await fetchTrace(context);
    if (isOver || end || trace?.verdict.code !== "home-away") return;
    awaySince = performance.now();
    const left = ANSWER_WITHIN - (awaySince - began) / 1000;
    end = countDown(left, (seconds) => context.tell("answer", { status: "run", away: seconds }));
  }, LOOK_EVERY * 1000);
  return () => {
    isOver = true;
    clearInterval(timer);
    end?.();
    if (end) context.awayMs += performance.now() - awaySince;
  };
}

/** What only the server can see: whether the home is away, or stuck, or never said a word. */
async function whyNoAnswer(context, stop) {
  const { code } = (await fetchTrace(context))?.verdict ?? {};
  const codes = { "home-away": "home-lost", "home-did-not-return": "home-lost", "home-silent": "home-silent" };
  return new Stop(codes[code] ?? stop.code, stop.details);
}

export function checkIdentity({ id, answer }) {
  const sdp = String(answer?.sdp);
  const found = remoteId.inDescription(sdp);
  if (!found.length) throw new Stop("fingerprint-missing");
  if (remoteId.kind(id) !== "fingerprint") return { found: "unverifiable" }; // the first step has warned of that
  if (found.some((each) => each !== id)) throw new Stop("fingerprint-wrong");
  return { found: "identity" };
}

export async function findPath(context) {
  const { connection, signaling, signal, answer, only } = context;
  const sdp = wanted(only, remoteId.withoutOtherFingerprints(String(answer.sdp)));
  try {
    await connection.setRemoteDescription({ type: "answer", sdp });
  } catch {
    throw new Stop("bad-answer");
  }
  context.remote.push(...candidates.inDescription(sdp));
  signaling.each("ice-candidate", ({ data }) => {
    const read = data?.candidate && candidates.parse(data.candidate);
    if (read && !isWanted(only, read)) return;
    if (read) context.remote.push(read);
    connection.addIceCandidate(data).catch(() => {});
  });
  const found = until(connection, ["iceconnectionstatechange", "icegatheringstatechange"], () => iceState(context));
  try {
    await within(Promise.race([found, hopeless(context), signaling.failed]), PATH_WITHIN[only], "no-path", signal);
  } catch (stop) {
    if (stop.code !== "no-path") throw stop;
    await context.probing;
    throw new Stop(whyNoPath({ ...context, local: named(context) }));
  }
  await hearOffer(context);
  const pair = await chosenPair(connection);
  if (pair) context.relayed = [pair.local, pair.remote].some((end) => end.candidateType === "relay");
  const line = (code, what) => ({ code, what });
  const ends = pair ? [line("here", candidates.describeEnd(pair.local)), line("home", candidates.describeEnd(pair.remote))] : [];
  const { local, remote } = context;
  const offered = [line("offered-here", candidates.summarise(local)), line("offered-home", candidates.summarise(remote))];
  return { found: pair ? (context.relayed ? "relayed" : "direct") : "path", lines: [...ends, ...offered] };
}

/** A busy browser may have found a path before it says which addresses it offers. */
async function hearOffer({ connection, local, signal }) {
  try {
    await within(until(connection, ["icecandidate"], () => local.length), OFFER_WITHIN, "no-path", signal);
  } catch (stop) {
    if (stop.code !== "no-path") throw stop;
  }
}

/** The candidates that this browser has named so far. A busy one may have found some before it says so. */
function named({ connection, local, only }) {
  return local.length ? local : candidates.inDescription(wanted(only, connection.localDescription.sdp));
}

function iceState(context) {
  const { connection, only } = context;
  const { iceConnectionState: state, iceGatheringState: gathering } = connection;
  if (state === "connected" || state === "completed") return true;
  // A browser that has nothing to try never calls that a failure.
  const nothing = gathering === "complete" && only !== "ipv6" && !named(context).length;
  if (state === "failed" || nothing) throw new Stop("no-path");
  return false;
}

/** Fails once it is known that no server will answer, and there is nothing to try: browsers go on for a minute. */
async function hopeless(context) {
  await context.probing;
  const { probes = [], only } = context;
  const needed = probes.filter(({ kind }) => kind === "relay" || only !== "relay");
  const isHopeless = needed.length && needed.every(({ outcome }) => outcome !== "ok" && outcome !== "same");
  if (isHopeless && !named(context).length) throw new Stop("no-path");
  return new Promise(() => {});
}

export async function encrypt({ connection, signaling, signal }) {
  const done = until(connection, ["connectionstatechange"], () => {
    if (connection.connectionState === "failed") throw new Stop("dtls-failed");
    return connection.connectionState === "connected";
  });
  await within(Promise.race([done, signaling.failed]), CHANNEL_WITHIN, "dtls-failed", signal);
  return { found: "secure" };
}

export async function openChannel(context) {
  const { connection, channel, signaling, signal } = context;
  const settled = until(channel, ["open", "close", "error"], () => context.hasOpened || channel.readyState === "closed");
  await within(Promise.race([settled, signaling.failed]), CHANNEL_WITHIN, "channel-timeout", signal);
  if (!context.hasOpened) throw new Stop(await whyClosed(connection));
  return { found: "channel" };
}

/** A home whose Music Assistant is down closes the channel alone; one that hangs up ends all that is under it as well. */
export async function whyClosed(connection) {
  const isOver = () => connection.connectionState !== "connected" || connection.sctp?.state === "closed";
  const over = [
    until(connection, ["connectionstatechange"], isOver),
    until(connection.sctp ?? connection, ["statechange"], isOver),
  ];
  await Promise.race([...over, new Promise((resolve) => setTimeout(resolve, HANGS_UP_WITHIN * 1000))]);
  return isOver() ? "connection-lost" : "music-down";
}

/** The pair of candidates in use, with `local` and `remote` in place of their ids; undefined where nobody says. */
export async function chosenPair(connection) {
  const stats = await connection.getStats();
  const all = [...stats.values()];
  const transport = all.find((each) => each.type === "transport" && each.selectedCandidatePairId);
  const pair = transport
    ? stats.get(transport.selectedCandidatePairId)
    : all.find((each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded");
  const [local, remote] = [stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)];
  return local && remote ? { ...pair, local, remote } : undefined;
}
