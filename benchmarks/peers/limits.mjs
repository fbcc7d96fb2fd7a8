// Limits: a token bucket for forwarded messages, a sliding window for what an address may do.

const MINUTE = 60_000;

export class Budget {
  constructor(allowance) {
    this.allowance = allowance;
    this.messages = allowance.burst;
    this.bytes = allowance.byteBurst;
    this.at = performance.now();
    this.toldAt = -Infinity;
    this.drops = 0;
  }

  // Charge one message; return false if it is over budget and must be dropped.
  spend(now, size) {
    const { burst, rate, byteBurst, byteRate } = this.allowance;
    const elapsed = (now - this.at) / 1000;
    this.at = now;
    this.messages = Math.min(burst, this.messages + elapsed * rate);
    if (byteRate > 0) this.bytes = Math.min(byteBurst, this.bytes + elapsed * byteRate);
    if (this.messages === burst && this.bytes === byteBurst) this.drops = 0;
    if (this.messages < 1 || this.bytes < size) {
      this.drops++;
      return false;
    }
    this.messages -= 1;
    if (byteRate > 0) this.bytes -= size;
    return true;
  }

  // Return the seconds until the next message may come.
  wait() {
    return this.messages < 1 ? (1 - this.messages) / this.allowance.rate : 1;
  }

  mayTell(now) {
    if (now - this.toldAt < 1000) return false;
    this.toldAt = now;
    return true;
  }
}

// At most `most` events of one key within any minute.
export class Windows {
  constructor(most) {
    this.most = most;
    this.times = new Map();
  }

  get size() {
    return this.times.size;
  }

  // Count one event and return 0; otherwise return the milliseconds until one is allowed.
  count(key, now) {
    const times = this.times.get(key);
    if (times === undefined) {
      this.times.set(key, [now]);
      return 0;
    }
    let old = 0;
    while (old < times.length && times[old] <= now - MINUTE) old++;
    if (old > 0) times.splice(0, old);
    if (times.length >= this.most) return MINUTE - (now - times[times.length - this.most]);
    times.push(now);
    return 0;
  }

  // Drop idle keys, among the oldest thousand.
  prune(now) {
    let looked = 0;
    for (const [key, times] of this.times) {
      if (++looked > 1000) break;
      if (times[times.length - 1] <= now - MINUTE) this.times.delete(key);
    }
  }
}
