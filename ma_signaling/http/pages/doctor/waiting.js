// Why a run stops, and waiting for things that may not come. No DOM.

/** A run stops: `code` is one of sentences.js, `details` are what its sentence needs. */
export class Stop extends Error {
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/** `promise`, unless `seconds` pass before (Stop with `code`) or the run is stopped. */
export function within(promise, seconds, code, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => settle(() => reject(new Stop("stopped")));
    const timer = setTimeout(() => settle(() => reject(new Stop(code, { seconds }))), seconds * 1000);
    function settle(act) {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      act();
    }
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
  });
}

/** Resolves with what `check()` returns once that is true; looks now, and whenever one of `events` happens. */
export function until(target, events, check) {
  return new Promise((resolve, reject) => {
    function look() {
      try {
        const value = check();
        if (!value) return;
        resolve(value);
      } catch (error) {
        reject(error);
      }
      for (const event of events) target.removeEventListener(event, look);
    }
    for (const event of events) target.addEventListener(event, look);
    look();
  });
}
