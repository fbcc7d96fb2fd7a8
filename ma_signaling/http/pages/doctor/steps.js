// One run: what the app does to reach a home, step by step. Says what it finds to `tell`; knows nothing of the page.

import * as candidates from "./candidates.js";
import * as iceServers from "./ice_servers.js";
import * as remoteId from "./remote_id.js";
import { aboutServer, explain } from "./sentences.js";
import { Signaling } from "./signaling.js";
import { whyNoPath } from "./verdicts.js";
import { Stop, until, within } from "./waiting.js";

const OPENS_WITHIN = 10;
const REQUEST_WITHIN = 30; // as long as the app waits
const ANSWER_WITHIN = 30;
const PATH_WITHIN = 30;
const OFFER_WITHIN = 2;
const CHANNEL_WITHIN = 10;
const LOOK_EVERY = 5; // seconds without an answer after which the server is asked (again) what it sees
const CHANNEL = "ma-api"; // what the home bridges to its API; nothing is sent over it

/** In order: the id of a step, its title, what it does. It returns {status?, text?, lines?} or throws a Stop. */
export const STEPS = [
  ["server", "This server", openWebSocket],
  ["id", "Remote ID", checkId],
  ["online", "Home online", checkOnline],
  ["ready", "Home ready", requestSession],
  ["ice", "STUN and TURN servers", probeServers],
  ["answer", "Offer and answer", negotiate],
  ["identity", "Identity of the home", checkIdentity],
  ["path", "Path", findPath],
  ["secure", "Encryption", encrypt],
  ["channel", "Data channel", openChannel],
  ["rtt", "Round trip", measure],
];

/** A run for `id`; `tell(step, {status, text, …})` hears all. Returns {code?, relayed?, rtt?, warnings, story?}. */
export async function run({ id, relayOnly, origin, tell, signal }) {
  const context = { id, relayOnly, origin, tell, signal, local: [], remote: [], warnings: 0 };
  try {
    for (const [step, , act] of STEPS) await take(context, step, act);
  } catch (stop) {
    context.code = stop.code ?? "unexpected";
  } finally {
    context.story = await fetchStory(context);
    close(context);
    await context.probing;
  }
  const { code, relayed, rtt, warnings, story } = context;
  return { code, relayed, rtt, warnings, story };
}

async function take(context, step, act) {
  const { tell } = context;
  const began = performance.now();
  tell(step, { status: "run", text: "" });
  try {
    const found = await act(context);
    if (found.later) return;
    if (found.status === "warn") context.warnings += 1;
    tell(step, { status: "ok", ms: performance.now() - began, ...found });
  } catch (problem) {
    const stop = problem instanceof Stop ? problem : new Stop("unexpected", { text: String(problem) });
    const status = stop.code === "stopped" ? "stop" : "fail";
    tell(step, { status, ms: performance.now() - began, ...explain(stop.code, stop.details) });
    throw stop;
  }
}

function close({ connection, signaling }) {
  connection?.close();
  signaling?.close();
}

async function openWebSocket(context) {
  if (typeof RTCPeerConnection === "undefined") throw new Stop("browser-too-old");
  const url = new URL("/ws", context.origin);
  url.protocol = url.protocol.replace("http", "ws");
  context.signaling = new Signaling(url);
  const opened = Promise.race([context.signaling.opened, context.signaling.failed]);
  await within(opened, OPENS_WITHIN, "server-silent", context.signal);
  return { text: `${url.protocol === "wss:" ? "Encrypted" : "Unencrypted"} WebSocket to ${url.host}.` };
}

function checkId({ id }) {
  const kind = remoteId.kind(id);
  if (kind === "bad" || kind === "mistyped") throw new Stop(`id-${kind}`);
  if (kind === "fingerprint") return { text: "It stands for the certificate of the home." };
  return { status: "warn", text: "It is of an older form, which says nothing about the home's certificate." };
}

async function checkOnline({ id, signal }) {
  const asked = fetch(`/api/check/${encodeURIComponent(id)}`, { signal }).catch(() => {
    throw new Stop(signal.aborted ? "stopped" : "server-unreachable");
  });
  const reply = await within(asked, OPENS_WITHIN, "request-timeout", signal);
  const body = await reply.json();
  if (reply.status === 403) throw new Stop("not-allowed");
  if (reply.status === 429) throw new Stop(body.retryAfter ? "rate-limited" : "blocked", { seconds: body.retryAfter });
  if (!body.online) throw new Stop("home-offline");
  return { text: "It is connected to this server." };
}

async function requestSession(context) {
  const { signaling, id, signal } = context;
  signaling.send("connect-request", { remoteId: id });
  const connected = await within(signaling.first("connected"), REQUEST_WITHIN, "request-timeout", signal);
  context.sessionId = connected.sessionId;
  context.servers = Array.isArray(connected.iceServers) ? connected.iceServers : [];
  const { ready } = (await fetchStory(context)) ?? {};
  if (ready !== false) return { text: "It has prepared a session." };
  return { status: "warn", text: "It did not say so, and this server went on without it: an old version, or one that is stuck." };
}

function probeServers(context) {
  const { servers, signal, tell } = context;
  const addresses = iceServers.addresses(servers);
  if (!addresses.length) return { status: "warn", text: "The home has named none: outside of its own network, that rarely works." };
  const began = performance.now();
  context.probing = Promise.all(addresses.map((each) => iceServers.probe(each, signal))).then((probes) => {
    context.probes = probes;
    const good = probes.filter((each) => each.outcome === "ok" || each.outcome === "same").length;
    const status = signal.aborted ? "stop" : good === probes.length ? "ok" : "warn";
    if (status === "warn") context.warnings += 1;
    const text = `${good} of ${probes.length} can be used from here.`;
    tell("ice", { status, ms: performance.now() - began, text, lines: probes.map(aboutServer) });
  });
  return { later: true };
}

async function negotiate(context) {
  const { signaling, signal, relayOnly, servers, tell } = context;
  const connection = connect({ iceServers: servers, iceTransportPolicy: relayOnly ? "relay" : "all" });
  context.connection = connection;
  context.channel = connection.createDataChannel(CHANNEL, { ordered: true });
  const say = (type, data) => signaling.send(type, { remoteId: context.id, sessionId: context.sessionId, data });
  connection.addEventListener("icecandidate", ({ candidate }) => {
    const read = candidate?.candidate && candidates.parse(candidate.candidate);
    if (read) context.local.push(read);
    if (candidate) say("ice-candidate", candidate.toJSON());
  });
  await connection.setLocalDescription();
  say("offer", { type: "offer", sdp: connection.localDescription.sdp });
  let isWaiting = true;
  const looking = setInterval(async () => {
    const story = await fetchStory(context);
    if (isWaiting && story?.verdict.code === "home-away") {
      tell("answer", { status: "run", text: "The home's connection to this server is broken: waiting for its return …" });
    }
  }, LOOK_EVERY * 1000);
  try {
    const answer = await within(signaling.first("answer"), ANSWER_WITHIN, "no-answer", signal);
    context.answer = answer.data;
  } catch (stop) {
    throw stop.code === "no-answer" ? await whyNoAnswer(context, stop) : stop;
  } finally {
    clearInterval(looking);
    isWaiting = false;
  }
  return { text: "The home has answered." };
}

function connect(configuration) {
  try {
    return new RTCPeerConnection(configuration);
  } catch {
    throw new Stop("ice-servers-bad"); // as the app would
  }
}

/** What only the server can see: whether the home is away, or stuck, or never said a word. */
async function whyNoAnswer(context, stop) {
  const { code } = (await fetchStory(context))?.verdict ?? {};
  const codes = { "home-away": "home-lost", "home-did-not-return": "home-lost", "home-silent": "home-silent" };
  return new Stop(codes[code] ?? stop.code, stop.details);
}

function checkIdentity({ id, answer }) {
  const sdp = String(answer?.sdp);
  const found = remoteId.inDescription(sdp);
  if (!found.length) throw new Stop("fingerprint-missing");
  if (remoteId.kind(id) !== "fingerprint") return { status: "warn", text: "A Remote ID of this form cannot be checked." };
  if (found.some((each) => each !== id)) throw new Stop("fingerprint-wrong");
  return { text: "Its certificate is the one in the Remote ID." };
}

async function findPath(context) {
  const { connection, signaling, signal, answer } = context;
  try {
    await connection.setRemoteDescription({ type: "answer", sdp: remoteId.withoutOtherFingerprints(String(answer.sdp)) });
  } catch {
    throw new Stop("bad-answer");
  }
  context.remote.push(...candidates.inDescription(answer.sdp));
  signaling.each("ice-candidate", ({ data }) => {
    const read = data?.candidate && candidates.parse(data.candidate);
    if (read) context.remote.push(read);
    connection.addIceCandidate(data).catch(() => {});
  });
  const found = until(connection, ["iceconnectionstatechange", "icegatheringstatechange"], () => iceState(context));
  try {
    await within(Promise.race([found, hopeless(context), signaling.failed]), PATH_WITHIN, "no-path", signal);
  } catch (stop) {
    if (stop.code !== "no-path") throw stop;
    await context.probing;
    throw new Stop(whyNoPath(context));
  }
  await hearOffer(context);
  const offered = [`Offered by you: ${candidates.summarise(context.local)}.`, `Offered by the home: ${candidates.summarise(context.remote)}.`];
  const pair = await chosenPair(connection);
  if (!pair) return { text: "Found.", lines: offered };
  context.relayed = [pair.local, pair.remote].some((end) => end.candidateType === "relay");
  const ends = [`Your end: ${candidates.describeEnd(pair.local)}.`, `The home's end: ${candidates.describeEnd(pair.remote)}.`];
  return { text: context.relayed ? "By a relay." : "Direct.", lines: [...ends, ...offered] };
}

/** A busy browser may have found a path before it says which addresses it offers. */
async function hearOffer({ connection, local, signal }) {
  try {
    await within(until(connection, ["icecandidate"], () => local.length), OFFER_WITHIN, "no-path", signal);
  } catch (stop) {
    if (stop.code !== "no-path") throw stop;
  }
}

function iceState({ connection, local }) {
  const { iceConnectionState: state, iceGatheringState: gathering } = connection;
  if (state === "connected" || state === "completed") return true;
  // A browser that has nothing to try never calls that a failure.
  const nothing = gathering === "complete" && !local.length;
  if (state === "failed" || nothing) throw new Stop("no-path");
  return false;
}

/** Fails once it is known that no server will answer, and there is nothing to try: browsers go on for a minute. */
async function hopeless(context) {
  await context.probing;
  const { probes = [], relayOnly, local } = context;
  const needed = probes.filter(({ kind }) => kind === "relay" || !relayOnly);
  const isHopeless = needed.length && needed.every(({ outcome }) => outcome !== "ok" && outcome !== "same");
  if (isHopeless && !local.length) throw new Stop("no-path");
  return new Promise(() => {});
}

async function encrypt({ connection, signaling, signal }) {
  const done = until(connection, ["connectionstatechange"], () => {
    if (connection.connectionState === "failed") throw new Stop("dtls-failed");
    return connection.connectionState === "connected";
  });
  await within(Promise.race([done, signaling.failed]), CHANNEL_WITHIN, "dtls-failed", signal);
  return { text: "Between this browser and the home; nobody in between can read it." };
}

async function openChannel({ channel, signaling, signal }) {
  const open = until(channel, ["open", "close", "error"], () => {
    if (channel.readyState === "closed") throw new Stop("connection-lost");
    return channel.readyState === "open";
  });
  await within(Promise.race([open, signaling.failed]), CHANNEL_WITHIN, "channel-timeout", signal);
  return { text: "Open: the app could talk to Music Assistant now." };
}

async function measure(context) {
  const { connection, signal } = context;
  for (let tries = 0; tries < 5; tries += 1) {
    const pair = await chosenPair(connection);
    const seconds = pair?.currentRoundTripTime ?? pair?.totalRoundTripTime / pair?.responsesReceived;
    if (Number.isFinite(seconds)) {
      context.rtt = Math.max(1, Math.round(seconds * 1000));
      return { text: `${context.rtt} ms from here to the home and back.` };
    }
    await within(new Promise((resolve) => setTimeout(resolve, 300)), 5, "unexpected", signal);
  }
  return { text: "This browser does not say how long it takes." };
}

/** The pair of candidates in use, with `local` and `remote` in place of their ids; undefined where nobody says. */
async function chosenPair(connection) {
  const stats = await connection.getStats();
  const all = [...stats.values()];
  const transport = all.find((each) => each.type === "transport" && each.selectedCandidatePairId);
  const pair = transport
    ? stats.get(transport.selectedCandidatePairId)
    : all.find((each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded");
  const [local, remote] = [stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)];
  return local && remote ? { ...pair, local, remote } : undefined;
}

/** What this server has seen of the session; undefined where it won't say. */
async function fetchStory({ sessionId }) {
  if (!sessionId) return undefined;
  try {
    const reply = await fetch(`/api/sessions/${encodeURIComponent(sessionId)}`);
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}
