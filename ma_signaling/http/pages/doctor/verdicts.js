// Why two sides that exchanged candidates don't connect: a code of advice.js. No DOM.

import { isLocal } from "./candidates.js";

const has = (candidates, type) => candidates.some((each) => each.type === type);

/** Whether an address on the internet is among them: found by a STUN server, or the machine's own. */
const hasPublic = (candidates) => candidates.some(({ type, address }) => type === "srflx" || (type === "host" && !isLocal(address)));

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
  if (!hasPublic(local) && !hasPublic(remote)) return "only-local";
  if (!hasPublic(local)) return "no-public-here";
  if (!hasPublic(remote)) return "no-public-there";
  return "no-relay";
}

function whyNoIpv6(local, remote) {
  const isIpv6 = ({ family }) => family === "ipv6";
  if (!remote.some(isIpv6)) return "no-ipv6-there";
  return local.some(isIpv6) ? "ipv6-blocked" : "no-ipv6-here";
}
