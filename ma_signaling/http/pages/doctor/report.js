// The text for a support issue: addresses and the Remote ID shortened. No DOM.

const IPV4 = /\b(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}\b/g;
const IPV6 = /(?<![\w:])(?=[0-9a-f:]*:[0-9a-f:]*:)([0-9a-f]{1,4}:[0-9a-f]{0,4}):[0-9a-f:.]+/gi;
const MARKS = { ok: "ok  ", warn: "!   ", fail: "FAIL", run: "... ", wait: "-   ", stop: "stop" };

/** `text` with what is private cut: half of each address, most of the Remote ID. */
export function shorten(text, id) {
  const cut = id ? text.replaceAll(new RegExp(id.replace(/[^\w-]/g, ""), "gi"), `${id.slice(0, 4)}…`) : text;
  return cut.replace(IPV4, "$1.$2.x.x").replace(IPV6, "$1:…");
}

/** The whole report. `steps` are {title, status, ms, text, advice, lines}. */
export function report({ id, where, when, browser, steps, summary, story }) {
  const lines = [`${when}, ${where}, home ${id}`, ""];
  for (const { title, status, ms, text, advice, lines: more = [] } of steps) {
    const time = ms === undefined ? "" : ` (${Math.round(ms)} ms)`;
    lines.push(`[${MARKS[status]}] ${title}${time}${text ? `: ${text}` : ""}`);
    lines.push(...more.map((line) => `         ${line}`));
    if (advice) lines.push(`         -> ${advice}`);
  }
  lines.push("", summary);
  if (story) lines.push("", "Seen by the server:", JSON.stringify(story));
  // A browser's version looks like an address.
  return ["Music Assistant connection check", browser, shorten(lines.join("\n"), id)].join("\n");
}
