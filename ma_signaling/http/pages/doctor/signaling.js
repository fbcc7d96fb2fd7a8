// The WebSocket to this server, as a client of a home uses it (docs/protocol.md). No DOM.

import { Stop } from "./waiting.js";

const CODES = {
  "server-not-found": "home-offline",
  "server-disconnected": "home-left",
  "home-busy": "home-busy",
  "rate-limited": "rate-limited",
  blocked: "blocked",
  "not-allowed": "not-allowed",
  "invalid-remote-id": "id-bad",
};

const RESTART = 1012;
const CLOSES_WITHIN = 1000; // a server that stops says the same of every home, and closes

export class Signaling extends EventTarget {
  #socket;
  #received = [];
  #failure = null;
  #suspicion = null; // what it is unless the server turns out to restart

  constructor(url) {
    super();
    this.#socket = new WebSocket(url);
    this.opened = new Promise((resolve) => this.#socket.addEventListener("open", resolve));
    this.failed = new Promise((_, reject) => this.addEventListener("failed", () => reject(this.#failure)));
    this.failed.catch(() => {}); // whoever cares races against it
    this.#socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    this.#socket.addEventListener("error", () => this.#fail(new Stop("server-unreachable")));
    this.#socket.addEventListener("close", ({ code }) => {
      const other = this.#suspicion ?? new Stop("signaling-closed", { code });
      this.#fail(code === RESTART ? new Stop("server-restarting") : other);
    });
  }

  send(type, fields) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type, ...fields }));
  }

  /** The first message of this type, come or to come. */
  first(type) {
    const come = this.#received.find((message) => message.type === type);
    if (come) return Promise.resolve(come);
    const coming = new Promise((resolve) => {
      this.addEventListener(type, ({ detail }) => resolve(detail), { once: true });
    });
    return Promise.race([coming, this.failed]);
  }

  /** Calls back for each message of this type, come or to come. */
  each(type, take) {
    this.#received.filter((message) => message.type === type).forEach(take);
    this.addEventListener(type, ({ detail }) => take(detail));
  }

  /** Say goodbye, so that the home forgets this session at once. */
  close() {
    this.#socket.close(1000);
  }

  #take(message) {
    if (message.type === "ping") this.send("pong");
    else if (message.type === "peer-disconnected") this.#fail(new Stop("home-left"));
    else if (message.type === "error") this.#refuse(this.#stopFor(message));
    this.#received.push(message);
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }

  #stopFor({ error, code, retryAfter }) {
    return new Stop(CODES[code] ?? "server-error", { text: error, seconds: retryAfter });
  }

  #refuse(stop) {
    if (stop.code !== "home-left") return this.#fail(stop);
    this.#suspicion ??= stop;
    return setTimeout(() => this.#fail(stop), CLOSES_WITHIN);
  }

  #fail(stop) {
    if (this.#failure) return;
    this.#failure = stop;
    this.dispatchEvent(new Event("failed"));
  }
}
