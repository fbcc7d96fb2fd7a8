// The page: a form, a list of steps, and what a run says about them.

import { report } from "./report.js";
import * as remoteId from "./remote_id.js";
import { allGood } from "./sentences.js";
import { run, STEPS } from "./steps.js";

const find = (id) => document.getElementById(id);
const [form, input, relayOnly] = [find("form"), find("remote-id"), find("relay-only")];
const [list, summary, start, stop, copy] = ["steps", "summary", "start", "stop", "copy"].map(find);
const SPOKEN = { wait: "not yet", run: "running", ok: "good", warn: "warning", fail: "failed", stop: "stopped" };

let running = null; // the AbortController of the run under way
let latest = null; // what the report is made of
const steps = new Map(STEPS.map(([id, title]) => [id, { title, parts: row(id, title) }]));

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function row(id, title) {
  const item = element("li", "step");
  const parts = {
    item,
    mark: element("span", "hidden"),
    time: element("span", "time"),
    text: element("p", "text"),
    lines: element("ul", "lines"),
    advice: element("p", "advice"),
  };
  const head = element("div", "head");
  head.append(element("span", "title", title), parts.mark, parts.time);
  item.id = `step-${id}`;
  item.append(head, parts.text, parts.lines, parts.advice);
  list.append(item);
  return parts;
}

function show(id, change) {
  const step = steps.get(id);
  Object.assign(step, { status: "wait", ms: undefined, text: "", advice: "", lines: [] }, change);
  step.parts.item.dataset.status = step.status;
  step.parts.mark.textContent = `, ${SPOKEN[step.status]}`;
  step.parts.time.textContent = step.ms === undefined ? "" : duration(step.ms);
  step.parts.text.textContent = step.text;
  step.parts.advice.textContent = step.advice;
  step.parts.lines.replaceChildren(...step.lines.map((line) => element("li", "", line)));
}

function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function conclude(state, headline, text) {
  summary.dataset.state = state;
  summary.replaceChildren(element("strong", "", headline), element("span", "", text));
}

async function check(id) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  for (const step of steps.keys()) show(step, {});
  conclude("run", "Checking …", " This takes a few seconds, half a minute at most per step.");
  start.disabled = true;
  [stop.hidden, copy.hidden] = [false, true];
  const tell = (step, change) => running === mine && show(step, change);
  const result = await run({ id, relayOnly: relayOnly.checked, origin: location.href, tell, signal: mine.signal });
  if (running !== mine) return;
  running = null;
  start.disabled = false;
  [stop.hidden, copy.hidden] = [true, false];
  latest = { id, result };
  finish(result);
}

function finish(result) {
  const failed = [...steps.values()].find((step) => step.status === "fail");
  if (result.code === "stopped") conclude("stop", "Stopped.", " Nothing is left behind at the home.");
  else if (failed) conclude("fail", `It stops at: ${failed.title}.`, ` ${failed.text} ${failed.advice}`);
  else conclude("ok", "It works.", ` ${allGood(result)}`);
}

function makeReport() {
  return report({
    id: latest.id,
    where: location.host,
    when: new Date().toISOString().slice(0, 19) + "Z",
    browser: navigator.userAgent,
    steps: [...steps.values()],
    summary: summary.textContent,
    story: latest.result.story,
  });
}

async function copyReport() {
  const text = makeReport();
  const box = find("report");
  box.value = text;
  find("report-box").hidden = false;
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  } catch {
    box.focus();
    box.select();
    copy.textContent = "Select and copy it below";
  }
  setTimeout(() => { copy.textContent = "Copy report"; }, 3000);
}

function begin() {
  const id = remoteId.tidy(input.value);
  input.value = id;
  if (!id) {
    input.focus();
    return;
  }
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  find("report-box").hidden = true;
  check(id);
}

function beginWithHash() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (!id) return;
  input.value = id;
  begin();
}

form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });
stop.addEventListener("click", () => running?.abort());
copy.addEventListener("click", copyReport);
addEventListener("hashchange", beginWithHash);
addEventListener("pagehide", () => running?.abort());
for (const step of steps.keys()) show(step, {});
beginWithHash();
