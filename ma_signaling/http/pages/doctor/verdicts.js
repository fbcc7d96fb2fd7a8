// Why two sides that exchanged candidates don't connect: a code of sentences.js. No DOM.

const has = (candidates, type) => candidates.some((each) => each.type === type);

/** `local` and `remote` are candidates, `probes` those of ice_servers.js, `relayOnly` what the person asked for. */
export function whyNoPath({ local, remote, probes = [], relayOnly = false }) {
  const relays = probes.filter((each) => each.kind === "relay");
  if (!local.length && relayOnly) return relays.length ? "relays-unreachable" : "no-relay-given";
  if (!local.length) return "no-local-candidates";
  if (!remote.length) return "no-remote-candidates";
  if (has(local, "relay") || has(remote, "relay")) return "relay-in-vain";
  if (relays.length) return "relays-unreachable";
  if (!has(local, "srflx") && !has(remote, "srflx")) return "only-local";
  if (!has(local, "srflx")) return "no-public-here";
  if (!has(remote, "srflx")) return "no-public-there";
  return "no-relay";
}
