// The texts of the connection check: what a failure means, and what to do. No DOM.

const RELAY_HELP =
  "Set up a relay (TURN) at the home: Home Assistant Cloud includes one, or run coturn and add it in Music Assistant. " +
  "Or try another network, such as Wi-Fi in place of mobile data.";
const STUN_HELP = "Allow UDP to the STUN servers above (port 3478 or 19302), or use a network that does.";
const HOME_LOG = "Look at Music Assistant's log, and turn Remote Access off and on again in its settings.";

const TEXTS = {
  stopped: () => ["Stopped by you.", ""],
  "browser-too-old": () => ["This browser has no WebRTC, or it is switched off.", "Use a current browser, and look at its privacy settings and extensions."],
  "server-unreachable": () => ["This browser could not open a WebSocket to this server.", "A proxy, VPN or firewall in between may block WebSockets: try another network. If you run this server: --allowed-origins must name this page's address."],
  "server-silent": ({ seconds }) => [`The WebSocket did not open within ${seconds} seconds.`, "Try another network; a proxy in between may swallow WebSockets."],
  "signaling-closed": ({ code }) => [`This server closed the connection (code ${code}).`, code === 1012 ? "It is being restarted: try again in a minute." : "Try again in a minute."],
  "server-error": ({ text }) => [`This server answered: ${text}`, "Try again in a minute."],
  "id-bad": () => ["This is no Remote ID: it has other characters than letters, digits, - and _, or too many.", "Copy it from Music Assistant: Settings, Remote Access."],
  "id-mistyped": () => ["This is almost a Remote ID: one character or more is mistyped.", "Copy it from Music Assistant (Settings, Remote Access). The digits 0, 1, 2 and 8 never occur in it."],
  "home-offline": () => ["No home with this Remote ID is connected to this server.", "Is Music Assistant running, is Remote Access switched on, and does the home use this server? If it has just lost its connection, it will be back within half a minute. Compare the Remote ID, too."],
  "rate-limited": ({ seconds }) => [`This network has asked too often.${seconds ? ` It may ask again in ${seconds} seconds.` : ""}`, "Wait that long, then run the check again."],
  blocked: () => ["Too many wrong Remote IDs were asked for from this network, so it has to wait.", "Wait some minutes, and compare the Remote ID."],
  "not-allowed": () => ["This server does not serve your network.", "Use another network, or ask the people who run this server."],
  "home-busy": () => ["This home has as many sessions as it may have, or too many started within a minute.", "Try again in a minute."],
  "home-left": () => ["The home has ended its connection to this server.", "It was probably stopped or restarted: wait until Music Assistant is up, then try again."],
  "home-lost": () => ["The home's connection to this server broke in the middle.", "Look at the home's internet connection, then try again. A home comes back by itself within a minute or so."],
  "request-timeout": ({ seconds }) => [`This server gave no answer within ${seconds} seconds.`, "Try again in a minute."],
  "home-silent": ({ seconds }) => [`The home is connected to this server, but did not answer within ${seconds} seconds.`, `Remote Access at the home seems stuck. ${HOME_LOG}`],
  "no-answer": ({ seconds }) => [`The home was ready, but did not answer the offer within ${seconds} seconds.`, `It may wait for STUN or TURN servers that it cannot reach. ${HOME_LOG}`],
  "ice-servers-bad": () => ["This browser refuses the home's list of STUN and TURN servers, and so would the app.", "Look at the addresses and credentials that are set for TURN at the home."],
  "fingerprint-missing": () => ["The answer has no SHA-256 fingerprint, so its sender can't be verified.", `The app refuses such a home. ${HOME_LOG}`],
  "fingerprint-wrong": () => ["The peer that answered does not have the certificate of this Remote ID. It is not your home.", "Do not log in. Compare the Remote ID in Music Assistant: a new installation has a new one. If it is right, somebody else has registered it: report this to the people who run this server."],
  "bad-answer": () => ["This browser could not use the home's answer.", HOME_LOG],
  "no-local-candidates": () => ["This browser has offered no address at all.", "A VPN, a privacy setting or an extension blocks WebRTC here: switch it off, or use another browser."],
  "no-remote-candidates": () => ["The home has offered no address at all.", "Look at the home's network: Music Assistant needs UDP to the outside."],
  "no-relay-given": () => ["You asked for relays only, and the home has named none.", "Untick the option to test without, or set up a relay (TURN) at the home."],
  "relays-unreachable": () => ["There is no direct way, and none of the home's relays (TURN) can be used from here.", "See which relay failed above. If it was refused, its credentials are wrong or expired; if it is unreachable, this network blocks it: a relay on TCP port 443 (turns:) passes most firewalls."],
  "relay-in-vain": () => ["A relay was offered, and still no packet came through.", "A firewall on one side blocks the relay's UDP ports: a relay on TCP port 443 (turns:) passes most firewalls."],
  "only-local": () => ["Neither this browser nor the home found out its public address, so this works within one network only.", STUN_HELP],
  "no-public-here": () => ["No STUN server could be reached from this network, and neither side offered a relay.", `${STUN_HELP} ${RELAY_HELP}`],
  "no-public-there": () => ["The home did not find out its public address, and neither side offered a relay.", `At the home: ${STUN_HELP} ${RELAY_HELP}`],
  "no-relay": () => ["Your network and the home's both use a NAT that changes ports, and neither side offered a relay.", RELAY_HELP],
  "dtls-failed": () => ["Packets get through, but the encrypted connection could not be set up.", `The network lets small packets through only, or the home is overloaded. ${HOME_LOG}`],
  "channel-timeout": ({ seconds }) => [`The connection is up and encrypted, but the data channel did not open within ${seconds} seconds.`, HOME_LOG],
  "connection-lost": () => ["The connection was lost again.", "Try again, close to the access point or on another network."],
  unexpected: ({ text }) => [`The check itself failed: ${text}`, "Please report this, with the report below."],
};

/** {text, advice} for a code: what it means, and what to do. */
export function explain(code, details = {}) {
  const [text, advice] = (TEXTS[code] ?? TEXTS.unexpected)({ text: code, ...details });
  return { text, advice };
}

const PROBED = {
  ok: "reachable",
  same: "reachable; it saw the local address, so there is no NAT in between",
  refused: "refused: wrong or expired credentials",
  unreachable: "unreachable from here",
  bad: "not understood by this browser",
};

/** One line about one STUN or TURN server. */
export function aboutServer({ url, outcome, ms }) {
  return `${url.split("?")[0]}: ${PROBED[outcome]}${outcome === "ok" ? `, ${Math.round(ms)} ms` : ""}`;
}

/** The summary of a run in which nothing failed. */
export function allGood({ relayed, rtt, warnings }) {
  const how = relayed ? "by a relay" : "directly";
  const speed = rtt === undefined ? "" : ` A packet takes ${rtt} ms there and back.`;
  const but = warnings ? " See the steps marked with !." : "";
  return `This browser reaches your home ${how}.${speed}${but}`;
}
