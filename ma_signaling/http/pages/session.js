// What the server saw of one session (docs/protocol.md, "Session traces"): the two sides as lanes, with the time between.

import { duration } from "./doctor/report.js";
import { element, find } from "./elements.js";
import { fetchJson } from "./fetching.js";
import { measured, text } from "./texts.js";

const PATIENCE = 30_000;
const GOOD = ["negotiated", "no-relay"];
const NEITHER = ["waiting", "home-away", "only-local"];

/** [{at, lane: "client", "home" or "server", text}] in the order of time. */
function eventsOf(trace) {
  const { announced, connected, ready, homeLost, homeReturned, ended, endedBy, end, client, home } = trace;
  const moments = [
    [0, "client", "requested"],
    [announced, "home", "announced"],
    [connected, "client", ready === false ? "connected-unready" : "connected"],
    [client.offer, "client", "offer"],
    [client.firstCandidate, "client", "first-candidate"],
    [client.lastCandidate, "client", "last-candidate"],
    [home.answer, "home", "answer"],
    [home.firstCandidate, "home", "first-candidate"],
    [home.lastCandidate, "home", "last-candidate"],
    [homeLost, "home", "home-lost"],
    [homeReturned, "home", "home-returned"],
    [ended, endedBy ?? "server", "ended"],
  ];
  return moments
    .filter(([at]) => at !== undefined)
    .map(([at, lane, key]) => ({ at, lane, text: text(key === "ended" ? `ends.${end}` : `session.${key}`) }))
    .sort((one, other) => one.at - other.at);
}

function row({ at, lane, text: says }) {
  const made = element("tr", `lane-${lane}`);
  if (lane === "server") {
    const across = element("td", "across", `${measured(duration(at))}, ${text("session.server")}: ${says}`);
    across.colSpan = 3;
    made.append(across);
    return made;
  }
  const cell = (which) => element("td", which, which === lane ? says : "");
  made.append(cell("client"), element("td", "at", measured(duration(at))), cell("home"));
  return made;
}

function showAddresses(side, { trickled, inSdp }) {
  for (const [key, found] of [["one-by-one", trickled], ["in-description", inSdp]]) {
    const counts = Object.entries(found).filter(([kind]) => kind !== "end").map(([kind, count]) => `${count} × ${kind}`);
    find(side).append(element("dt", "", text(`session.${key}`)), ...(counts.length ? counts : [text("session.none")]).map((each) => element("dd", "", each)));
  }
}

function show(state, headline, why) {
  document.title = `${headline} – ${text("session.title")}`;
  find("main").dataset.state = state;
  find("headline").textContent = headline;
  find("why").textContent = why;
}

function showTrace(trace) {
  const { code } = trace.verdict;
  show(GOOD.includes(code) ? "ok" : NEITHER.includes(code) ? "run" : "fail", ...text(`verdicts.${code}`));
  find("code").textContent = code;
  find("events").append(...eventsOf(trace).map(row));
  showAddresses("client", trace.client);
  showAddresses("home", trace.home);
  find("trace").hidden = false;
}

/** Why there is no trace: [headline, sentence]. */
function whyNone({ status }, body) {
  if (status === 404 && body) return [text("session.unknown"), text("session.unknown-text")];
  if (status === 429 && body) return [text("failures.rate-limited")[0], text("session.limited", { seconds: body.retryAfter })];
  if (status === 403) return text("failures.not-allowed", { server: location.host });
  return text("failures.server-error", { text: `HTTP ${status}` });
}

find("verdict").hidden = false;
const patience = new AbortController();
setTimeout(() => patience.abort(), PATIENCE);
const answer = await fetchJson(`/api/sessions/${location.pathname.split("/")[2]}`, patience.signal).catch(() => null);
if (!answer) show("fail", ...text("failures.server-unreachable", { server: location.host }));
else if (answer.reply.ok && answer.body) showTrace(answer.body);
else show("fail", ...whyNone(answer.reply, answer.body));
