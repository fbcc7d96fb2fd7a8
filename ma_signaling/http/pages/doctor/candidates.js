// ICE candidates: what a line says (RFC 8839 section 5.1), and how many there are of each kind. No DOM.

export const TYPES = ["host", "srflx", "prflx", "relay"];

const NAMES = { host: "local", srflx: "public (STUN)", prflx: "public (as the other side sees it)", relay: "relayed (TURN)" };
const FAMILIES = { ipv4: "IPv4", ipv6: "IPv6", mdns: "hidden" };

export function family(address) {
  if (address.endsWith(".local")) return "mdns";
  return address.includes(":") ? "ipv6" : "ipv4";
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

/** How many of which type and family, for a person: "2 local (IPv4, IPv6), 1 relayed (TURN) (IPv4)". */
export function summarise(candidates) {
  const groups = TYPES.map((type) => [type, candidates.filter((each) => each.type === type)]);
  const texts = groups.filter(([, found]) => found.length).map(([type, found]) => {
    const families = [...new Set(found.map((each) => FAMILIES[each.family]))].sort();
    return `${found.length} ${NAMES[type]}, ${families.join(" and ")}`;
  });
  return texts.join("; ") || "none";
}

/** One end of the chosen path: "public (STUN), IPv4, UDP". `stats` is an RTCIceCandidateStats. */
export function describeEnd(stats) {
  const address = stats.address ?? stats.ip;
  const parts = [NAMES[stats.candidateType] ?? stats.candidateType];
  if (address) parts.push(FAMILIES[family(address)]);
  parts.push((stats.relayProtocol ? `${stats.protocol} by ${stats.relayProtocol}` : stats.protocol)?.toUpperCase());
  return parts.filter(Boolean).join(", ");
}
