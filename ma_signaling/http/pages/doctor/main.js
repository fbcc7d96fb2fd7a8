// The page: a form, a run, and what may be done with its result.

import { appLink } from "../app.js";
import { find } from "../elements.js";
import { text } from "../texts.js";
import * as remoteId from "./remote_id.js";
import { report } from "./report.js";
import { run, STEPS } from "./run.js";
import { makeSteps, showProgress, showStations, showVerdict } from "./view.js";

const [form, input, again, open, share, copy, trace] = ["form", "remote-id", "again", "open", "share", "copy", "trace"].map(find);

let running = null; // the AbortController of the run under way
let latest = null; // what the report is made of
const told = new Map();
const showStep = makeSteps(STEPS.map(([id]) => id));

function tell(step, news) {
  told.set(step, news);
  showStep(step, news);
  showStations(told);
  if (news.status === "run" && step !== "ice") showProgress(step, news); // that one goes on beside the others
}

async function check(id, only) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  for (const [step] of STEPS) told.set(step, { status: "wait" });
  for (const [step] of STEPS) tell(step, { status: "wait" });
  showProgress("id", {});
  find("report-box").hidden = true;
  trace.hidden = true;
  const heard = (step, news) => running === mine && tell(step, news);
  const result = await run({ id, only, place: location, tell: heard, signal: mine.signal });
  if (running !== mine) return;
  running = null;
  latest = { id, only, result, link: result.trace && new URL(`/sessions/${result.sessionId}`, location).href };
  trace.hidden = !latest.link;
  if (latest.link) trace.href = latest.link;
  const app = appLink(find("main").dataset.app, location, id);
  open.hidden = !app;
  if (app) open.href = app;
  showVerdict(result);
}

function makeReport() {
  return report({
    ...latest,
    where: location.host,
    when: new Date().toISOString().slice(0, 19) + "Z",
    browser: navigator.userAgent,
    steps: [...told],
  });
}

async function shareResult() {
  const says = `${find("headline").textContent}. ${find("why").textContent}`;
  const data = { title: document.title, text: says, ...(latest.link && { url: latest.link }) };
  if (!navigator.share) return copyText([says, latest.link].filter(Boolean).join("\n"), share, "share");
  return navigator.share(data).catch(() => {}); // closed without sharing
}

function copyReport() {
  const all = makeReport();
  find("report").value = all;
  find("report-box").hidden = false;
  return copyText(all, copy, "copy");
}

async function copyText(content, button, key) {
  try {
    await navigator.clipboard.writeText(content);
    button.textContent = text("buttons.copied");
  } catch {
    const box = find("report");
    box.value = content;
    find("report-box").hidden = false;
    box.focus();
    box.select();
    button.textContent = text("buttons.select");
  }
  setTimeout(() => { button.textContent = text(`buttons.${key}`); }, 3000);
}

function begin() {
  const id = remoteId.tidy(input.value);
  input.value = id;
  if (!id) {
    input.reportValidity();
    return;
  }
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  check(id, form.elements.only.value);
}

function beginWithHash() {
  const id = remoteId.tidy(location.hash.slice(1));
  if (!id) return;
  input.value = id;
  begin();
}

form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });
again.addEventListener("click", () => (running ? running.abort() : begin()));
copy.addEventListener("click", copyReport);
share.addEventListener("click", shareResult);
addEventListener("hashchange", beginWithHash);
addEventListener("pagehide", () => running?.abort());
find("start").disabled = false; // until now, nothing would have come of it
beginWithHash();
