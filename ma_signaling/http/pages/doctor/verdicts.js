// Why two sides that exchanged candidates don't connect: a code of advice.js. No DOM.

const has = (candidates, type) => candidates.some((each) => each.type === type);

/** `local` and `remote` are candidates, `probes` those of ice_servers.js, `only` what the person asked for. */
export function whyNoPath({ local, remote, probes = [], only = "any" }) {
  if (only === "ipv6") return whyNoIpv6(local, remote);
  const relayOnly = only === "relay";
  const relays = probes.filter((each) => each.kind === "relay");
  const vain = relays.every((each) => each.outcome === "refused") ? "relay-refused" : "relays-unreachable";
  if (!local.length && relayOnly) return relays.length ? vain : "no-relay-given";
  if (!local.length) return "no-local-candidates";
  if (!remote.length) return "no-remote-candidates";
  if (has(local, "relay") || has(remote, "relay")) return "relay-in-vain";
  if (relays.length) return vain;
  if (!has(local, "srflx") && !has(remote, "srflx")) return "only-local";
  if (!has(local, "srflx")) return "no-public-here";
  if (!has(remote, "srflx")) return "no-public-there";
  return "no-relay";
}

function whyNoIpv6(local, remote) {
  const isIpv6 = ({ family }) => family === "ipv6";
  if (!remote.some(isIpv6)) return "no-ipv6-there";
  return local.some(isIpv6) ? "ipv6-blocked" : "no-ipv6-here";
}
