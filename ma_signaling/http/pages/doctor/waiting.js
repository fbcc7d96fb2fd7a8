// Why a run stops, and waiting for things that may not come. No DOM.

/** A run stops: `code` is one of advice.js, `details` are what its texts need. */
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

/** Calls `tell(left)` now and every second, with the seconds that are left of `seconds`. Returns what ends that. */
export function countDown(seconds, tell) {
  let left = Math.round(seconds);
  tell(left);
  const timer = setInterval(() => tell((left = Math.max(0, left - 1))), 1000);
  return () => clearInterval(timer);
}
