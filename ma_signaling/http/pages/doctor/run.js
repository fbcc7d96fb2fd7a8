// One run: what the app does to reach a home, step by step. Says what it finds to `tell`; knows nothing of the page.

import { encrypt, findPath, checkIdentity, negotiate, openChannel, probeServers } from "./connection_steps.js";
import { hearMusicAssistant, measure } from "./home_steps.js";
import { checkId, checkOnline, fetchTrace, openWebSocket, waitUntilReady } from "./signaling_steps.js";
import { Stop } from "./waiting.js";

export const USUAL_MS = 5000; // from the start to the first word of Music Assistant

/** In order: the id of a step, and what it does. It returns what it found (see `run`), or throws a Stop. */
export const STEPS = [
  ["id", checkId],
  ["server", openWebSocket],
  ["online", checkOnline],
  ["ready", waitUntilReady],
  ["ice", probeServers],
  ["answer", negotiate],
  ["identity", checkIdentity],
  ["path", findPath],
  ["secure", encrypt],
  ["channel", openChannel],
  ["api", hearMusicAssistant],
  ["speed", measure],
];

/**
 * A run for the Remote ID `id`; `only` is "any", "relay" or "ipv6", `place` a Location.
 * `tell(step, {status, ms, found?, warning?, failure?, values?, lines?})` hears all, in codes of advice.js and keys of the texts;
 * `lines` are [{code, what, time?}].
 * Returns {failure?: {step, code, details}, remarks: [{code, values}], relayed, version, ms, sessionId, trace}.
 */
export async function run({ id, only, place, tell, signal }) {
  const context = { id, only, place, tell, signal, local: [], remote: [], remarks: [], times: new Map(), awayMs: 0 };
  const began = performance.now();
  try {
    for (const [step, act] of STEPS) {
      await take(context, step, act);
      if (step === "api") noteTime(context, performance.now() - began - context.awayMs);
    }
  } catch (stop) {
    context.failure = { step: stop.step, code: stop.code, details: stop.details };
  } finally {
    context.trace = await fetchTrace(context);
    context.connection?.close();
    context.signaling?.close();
    if (context.failure) context.stopProbing?.(); // nothing is to be waited for, least of all by who met an impostor
    await context.probing;
  }
  const { failure, remarks, relayed, version, ms, sessionId, trace } = context;
  return { failure, remarks, relayed, version, ms, sessionId, trace };
}

async function take(context, step, act) {
  const began = performance.now();
  context.tell(step, { status: "run" });
  try {
    const found = await act(context);
    if (found.later) return;
    const ms = performance.now() - began;
    context.times.set(step, ms);
    conclude(context, step, { ms, ...found });
  } catch (problem) {
    const stop = problem instanceof Stop ? problem : new Stop("unexpected", { text: String(problem) });
    stop.step = step;
    const status = stop.code === "stopped" ? "stop" : "fail";
    context.tell(step, { status, ms: performance.now() - began, failure: stop.code, values: stop.details });
    throw stop;
  }
}

/** A step is done, well or with a warning. */
function conclude(context, step, found) {
  if (found.warning) context.remarks.push({ code: found.warning, values: found.values ?? {} });
  context.tell(step, { status: found.warning ? "warn" : "ok", ...found });
}

function noteTime(context, ms) {
  context.ms = ms;
  if (ms <= USUAL_MS) return;
  const [slowest] = [...context.times].sort(([, one], [, other]) => other - one)[0];
  context.remarks.push({ code: "slow-start", values: { step: slowest } });
}
