// ICE candidates: what a line says (RFC 8839 section 5.1), and how many there are of each kind. No DOM.

export const TYPES = ["host", "srflx", "prflx", "relay"];

const PRIVATE_IPV4 = /^(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;
// One label, or a domain that no DNS on the internet has (RFC 6762, 8375; "internal" by ICANN).
const LOCAL_NAME = /^[^.]+$|\.(local|localhost|lan|internal|home\.arpa)$/i;
const PRIVATE_IPV6 = /^(::1$|f[cd]|fe[89ab])/i;

/** "mdns" (a name that hides the address), "ipv4" or "ipv6". */
export function family(address) {
  if (address.endsWith(".local")) return "mdns";
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** Whether an address or a host name is for one's own machine or network. */
export function isLocal(name) {
  const host = name.replace(/^\[|\]$/g, "");
  if (/^[\d.]+$/.test(host)) return PRIVATE_IPV4.test(host);
  return host.includes(":") ? PRIVATE_IPV6.test(host) : LOCAL_NAME.test(host);
}

/** {type, protocol, family, address} of a candidate line with or without "a=" and "candidate:", or null. */
export function parse(line) {
  const parts = line.trim().split(/\s+/);
  if (parts.length < 8 || parts[6] !== "typ" || !TYPES.includes(parts[7])) return null;
  return { type: parts[7], protocol: parts[2].toLowerCase(), address: parts[4], family: family(parts[4]) };
}

/** The candidates in a description. */
export function inDescription(sdp) {
  return sdp.split(/\r?\n/).filter((line) => line.startsWith("a=candidate:")).map(parse).filter(Boolean);
}

/** The description without candidates other than of `wanted`, a family. */
export function onlyFamily(sdp, wanted) {
  const keeps = (line) => !line.startsWith("a=candidate:") || parse(line)?.family === wanted;
  return sdp.split(/\r?\n/).filter(keeps).join("\r\n");
}

/** How many of which kind, as the server's traces name them: "2 host/udp/ipv4, 1 relay/udp/ipv4". */
export function summarise(candidates) {
  const counts = new Map();
  for (const { type, protocol, family: which } of candidates) {
    const kind = `${type}/${protocol}/${which}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort().map(([kind, count]) => `${count} ${kind}`).join(", ") || "none";
}

/** One end of the chosen path: "srflx/udp/ipv4, public". `stats` is an RTCIceCandidateStats. */
export function describeEnd(stats) {
  const address = stats.address ?? stats.ip;
  const kind = [stats.candidateType, stats.protocol, address && family(address)].filter(Boolean).join("/");
  // Only the address can tell: a peer-reflexive one is public or not.
  const where = address && (isLocal(address) ? "local" : "public");
  const relay = stats.relayProtocol && `relay by ${stats.relayProtocol}`;
  return [kind, where, relay].filter(Boolean).join(", ");
}
