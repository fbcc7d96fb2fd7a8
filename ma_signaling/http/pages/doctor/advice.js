// Where each failure lies, and what to try: codes alone, whose texts are in ../texts. No DOM.

/** In order: the stations on the way, and the steps that belong to each. */
export const STATIONS = {
  device: ["id"],
  server: ["server"],
  home: ["online", "ready", "answer", "identity"],
  path: ["path", "secure", "channel"],
  music: ["api", "speed"],
};

/** For each failure, hints with the most likely first. */
export const FAILURES = {
  stopped: [],
  "browser-too-old": ["update-browser", "allow-webrtc"],
  "server-unreachable": ["other-pages", "other-network", "vpn-off", "wait-minute", "allowed-origins"],
  "server-silent": ["other-pages", "other-network", "vpn-off", "wait-minute"],
  "server-restarting": ["wait-minute"],
  "signaling-closed": ["wait-minute", "other-network"],
  "server-error": ["wait-minute", "ask-operator"],
  "request-timeout": ["wait-minute", "other-network"],
  "id-bad": ["copy-id"],
  "id-mistyped": ["copy-id", "digits"],
  "home-offline": ["is-running", "remote-access-on", "home-internet", "compare-id"],
  "home-not-back": ["home-internet", "is-running", "compare-id", "wait-minute"],
  "home-left": ["wait-minute", "is-running"],
  "home-lost": ["wait-minute", "home-internet"],
  "home-busy": ["wait-minute", "close-others"],
  "home-silent": ["remote-access-again", "restart-music", "update-music", "music-log"],
  "no-answer": ["remote-access-again", "restart-music", "home-internet", "music-log"],
  "rate-limited": ["wait-seconds"],
  blocked: ["wait-minutes", "compare-id"],
  "not-allowed": ["other-network", "ask-operator"],
  "ice-servers-bad": ["relay-settings"],
  "fingerprint-missing": ["update-music", "remote-access-again"],
  "fingerprint-wrong": ["no-login", "new-id", "tell-operator"],
  "bad-answer": ["update-browser", "update-music", "music-log"],
  "no-local-candidates": ["allow-webrtc", "vpn-off", "other-browser"],
  "no-remote-candidates": ["udp-home", "home-internet", "restart-music"],
  "no-relay-given": ["everything", "add-relay", "relay-later"],
  "relays-unreachable": ["other-network", "vpn-off", "relay-settings", "relay-443"],
  "relay-refused": ["relay-settings", "relay-secret", "ask-operator"],
  "relay-in-vain": ["other-network", "vpn-off", "relay-443"],
  "only-local": ["other-network", "udp-home", "udp-here"],
  "no-public-here": ["other-network", "vpn-off", "add-relay", "udp-here"],
  "no-public-there": ["udp-home", "add-relay"],
  "no-relay": ["other-network", "vpn-off", "add-relay", "relay-later"],
  "no-ipv6-here": ["everything", "other-network"],
  "no-ipv6-there": ["everything", "ipv6-home"],
  "ipv6-blocked": ["everything", "ipv6-firewall"],
  "dtls-failed": ["other-network", "vpn-off", "restart-music"],
  "channel-timeout": ["restart-music", "update-music", "music-log"],
  "connection-lost": ["try-again", "closer", "other-network"],
  "music-down": ["is-running", "restart-music", "music-log"],
  "music-silent": ["restart-music", "remote-access-again", "update-music", "music-log"],
  "setup-required": ["finish-setup"],
  unexpected: ["try-again", "update-browser", "report-bug"],
};

/** The same for what is no failure, but worth knowing. */
export const WARNINGS = {
  unencrypted: ["use-https"],
  "old-id": ["update-music", "copy-id"],
  "not-ready": ["update-music", "remote-access-again"],
  "no-ice-servers": ["update-music", "add-relay"],
  "dead-ice-servers": ["other-network", "relay-settings"],
  "some-ice-servers": ["other-network", "relay-settings"],
  "relays-udp-only": ["relay-443"],
  "slow-start": ["try-again", "closer", "home-internet"],
  "slow-data": ["closer", "home-internet", "other-network"],
};

const ELSEWHERE = {
  "browser-too-old": "device",
  "no-local-candidates": "device",
  "id-mistyped": "device",
  "server-restarting": "server",
  "signaling-closed": "server",
  "server-error": "server",
  "request-timeout": "server",
  "rate-limited": "server",
  blocked: "server",
  "not-allowed": "server",
  "connection-lost": "path",
  "music-down": "music",
};

/** The station at which a failure lies: mostly that of the step that failed. */
export function stationOf(step, code) {
  return ELSEWHERE[code] ?? Object.keys(STATIONS).find((station) => STATIONS[station].includes(step)) ?? "path";
}

/** What to try, as codes of hints: those that the details have nothing for are left out. */
export function hintsFor(code, details = {}) {
  const hints = FAILURES[code] ?? WARNINGS[code] ?? FAILURES.unexpected;
  return hints.map((hint) => (hint === "wait-seconds" && !details.seconds ? "wait-minute" : hint));
}
