// The text for a support issue, in codes that a maintainer of any language knows; addresses and the Remote ID shortened. No DOM.

import { kind } from "./remote_id.js";

const IPV4 = /\b(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}\b/g;
const IPV6 = /(^|[^\w:])(?=[0-9a-f:]*:[0-9a-f:]*:)([0-9a-f]{1,4}:[0-9a-f]{0,4}):[0-9a-f:.]+/gi;
const SHORTEST_ID = 8;
const MARKS = { ok: "ok  ", warn: "!   ", fail: "FAIL", run: "... ", wait: "-   ", stop: "stop" };

/** "340 ms", "1.2 s"; never "0 ms". */
export function duration(ms) {
  if (ms < 1) return "< 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `text` with what is private cut: half of each address, most of the Remote ID. A short one may be any word. */
export function shorten(text, id) {
  const literally = id.replace(/[^a-z0-9]/gi, "\\$&");
  const cut = id.length < SHORTEST_ID ? text : text.replaceAll(new RegExp(literally, "gi"), start(id));
  return cut.replace(IPV4, "$1.$2.x.x").replace(IPV6, "$1$2:…");
}

function start(id) {
  return `${id.slice(0, 4)}…`;
}

/** The whole report. `steps` are [id, what `run` told of it], `result` is what it returned. */
export function report({ id, only, where, when, browser, steps, result, link }) {
  // Whatever was pasted may have the right one in it.
  const home = kind(id) === "bad" ? `of ${id.length} characters` : start(id);
  const lines = [`${when}, ${where}, home ${home}${only === "any" ? "" : `, ${only} only`}`, ""];
  for (const [step, { status, ms, failure, warning, values, lines: more = [] }] of steps) {
    const time = ms === undefined ? "" : ` (${duration(ms)})`;
    const details = Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`);
    lines.push([`[${MARKS[status]}] ${step}${time}`, failure ?? warning, ...details].filter(Boolean).join(" "));
    lines.push(...more.map((line) => `         ${line.code}: ${line.what}${line.code === "ok" ? `, ${line.time}` : ""}`));
  }
  const { failure, remarks, trace } = result;
  lines.push("", `Result: ${failure ? failure.code : "it works"}`);
  if (remarks.length) lines.push(`Remarks: ${remarks.map((each) => each.code).join(", ")}`);
  if (trace) lines.push("", "Seen by the server:", JSON.stringify(trace));
  // A browser's version looks like an address; the link is meant to be followed.
  return ["Music Assistant connection check", browser, shorten(lines.join("\n"), id), ...(link ? [link] : [])].join("\n");
}
