// What the page shows of a run. It knows texts and elements, and nothing of how a run goes.

import { element, find } from "../elements.js";
import { measured, text } from "../texts.js";
import { hintsFor, stationOf, STATIONS } from "./advice.js";
import { duration } from "./report.js";

const main = find("main");
const title = document.querySelector("h1").textContent;
const common = { server: location.host, origin: location.origin };

/** Values as the texts want them: a step is called by its station, since only that is a word for everybody. */
function valuesOf(values = {}) {
  const station = values.step && find(`station-${stationOf(values.step)}`).querySelector(".name").textContent;
  return { ...common, ...values, ...(station && { step: station }) };
}

function hints(code, values) {
  return hintsFor(code, values).map((hint) => text(`hints.${hint}`, valuesOf(values)));
}

/** The list of steps, empty; returns what shows one. */
export function makeSteps(ids) {
  const rows = new Map(ids.map((id) => [id, row(id)]));
  return (id, told) => fillRow(rows.get(id), told);
}

function row(id) {
  const item = element("li", "step");
  item.id = `step-${id}`;
  const parts = { item, mark: element("span", "hidden"), time: element("span", "time"), said: element("p", "text"), lines: element("ul", "lines"), advice: element("p", "advice") };
  const head = element("div", "head");
  head.append(element("span", "title", text(`steps.${id}`)), parts.mark, parts.time);
  item.append(head, parts.said, parts.lines, parts.advice);
  find("steps").append(item);
  return parts;
}

function fillRow({ item, mark, time, said, lines, advice }, told) {
  const { status, ms, found, warning, failure, values, lines: more = [] } = told;
  item.dataset.status = status;
  mark.textContent = `, ${text(`status.${status}`)}`;
  time.textContent = ms === undefined ? "" : measured(duration(ms));
  const sentences = [found && text(`found.${found}`, valuesOf(values)), warning && text(`warnings.${warning}`, valuesOf(values))];
  if (failure) sentences.push(text(`failures.${failure}`, valuesOf(values))[1]);
  said.textContent = sentences.filter(Boolean).join(" ");
  lines.replaceChildren(...more.map((line) => element("li", "", text(`lines.${line.code}`, line))));
  advice.textContent = failure || warning ? hints(failure ?? warning, values).join(" ") : "";
}

/** The line of stations, from what is told of the steps so far. */
export function showStations(steps) {
  const failed = [...steps].find(([, { failure }]) => failure && failure !== "stopped");
  const at = failed && stationOf(failed[0], failed[1].failure);
  for (const [station, ids] of Object.entries(STATIONS)) {
    const status = station === at ? "fail" : together(ids.map((id) => steps.get(id).status), Boolean(failed));
    const item = find(`station-${station}`);
    item.dataset.status = status;
    item.lastElementChild.textContent = `, ${text(`status.${status}`)}`;
  }
}

function together(statuses, isOver) {
  const all = statuses.filter((status) => !(isOver && status === "fail"));
  if (all.includes("stop")) return "stop";
  if (all.includes("run") || (!isOver && all.includes("wait") && all.some((status) => status !== "wait"))) return "run";
  if (all.includes("wait") || !all.length) return "wait";
  return all.includes("warn") ? "warn" : "ok";
}

/** While a run goes on: where it is, and what it waits for. */
export function showProgress(step, { away, isMeasuring }) {
  setState("run");
  conclude(text(`running.${stationOf(step)}`), "");
  const key = away === undefined ? (isMeasuring ? "speed" : "text") : "away";
  find("progress").textContent = text(`running.${key}`, { seconds: away });
  fillList("try", []);
  fillList("remarks", []);
}

/** The verdict, when a run is over. */
export function showVerdict({ failure, remarks, relayed, version, ms }) {
  setState(failure ? stateOf(failure.code) : "ok");
  find("progress").textContent = "";
  if (failure) {
    conclude(...text(`failures.${failure.code}`, valuesOf(failure.details)));
  } else {
    const how = text(`ok.${relayed ? "relayed" : "direct"}`, { version });
    conclude(text("ok.headline"), `${how} ${text("ok.time", { time: duration(ms) })}`);
  }
  fillList("try", failure ? hints(failure.code, failure.details) : []);
  // Where it works, a helper that doesn't is for the details.
  const told = failure ? [] : remarks.filter(({ code }) => !["dead-ice-servers", "some-ice-servers"].includes(code));
  fillList("remarks", told.map(({ code, values }) => `${text(`warnings.${code}`, valuesOf(values))} ${hints(code, values)[0]}`));
}

function stateOf(code) {
  if (code === "stopped") return "stop";
  return code === "fingerprint-wrong" ? "danger" : "fail";
}

function conclude(headline, why) {
  // A screen reader says what changes here; so nothing is changed that stays the same.
  if (find("headline").textContent !== headline) find("headline").textContent = headline;
  if (find("why").textContent !== why) find("why").textContent = why;
  document.title = `${headline} – ${title}`;
}

function fillList(id, items) {
  find(id).replaceChildren(...items.map((item) => element("li", "", item)));
  find(`${id}-box`).hidden = !items.length;
}

/** "run", "ok", "fail", "danger" or "stop". Danger comes first on the page, and alone. */
function setState(state) {
  if (main.dataset.state === state) return;
  const focused = document.activeElement;
  find("status").setAttribute("aria-live", state === "danger" ? "assertive" : "polite");
  main.dataset.state = state;
  find(state === "danger" ? "form" : "details").before(find("verdict"));
  if (focused !== document.activeElement) focused.focus();
  find("again").textContent = text(state === "run" ? "buttons.stop" : "buttons.again");
}
