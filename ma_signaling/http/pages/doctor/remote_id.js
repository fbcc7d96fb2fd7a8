// Remote IDs, and the certificates that they stand for. No DOM.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ934567"; // base32, with 9 in place of 2
const TODAYS = /^[A-Z3-79]{26}$/;
const FINGERPRINT = /^a=fingerprint:(\S+)\s+(\S+)/i;

/** What a person typed or pasted (spaces, lower case, a link, a sentence, what a QR code says), as the server wants it. */
export function tidy(text) {
  const plain = decoded(text).replace(/[\u00ad\u200b-\u200f\u2060\ufeff]+/g, "").replace(/[\u2010-\u2015\u2212]/g, "-");
  const linked = /[?&#]remote[_-]?id=([^&#\s]+)/i.exec(plain) ?? /^\s*[^#\s]+#([^&#\s]+)/.exec(plain);
  const found = new Set((linked?.[1] ?? plain).toUpperCase().split(/[^A-Z0-9-]+/).map(withoutHyphens).filter(hasTodaysForm));
  if (found.size === 1) return [...found][0];
  const id = (linked ? linked[1] : plain).replace(/[\s"'\u2018-\u201f\u00ab\u00bb]+/g, "").toUpperCase();
  const joined = withoutHyphens(id);
  // Only today's IDs have no hyphens of their own.
  return hasTodaysForm(joined) ? joined : id;
}

function withoutHyphens(id) {
  return id.replaceAll("-", "");
}

function hasTodaysForm(id) {
  return /^[A-Z0-9]{26}$/.test(id);
}

/** Whether it may be one of today's with a character or two lost or doubled, unless a home has it. Names have no digits. */
export function isNearlyTodays(id) {
  return /^[A-Z0-9]{24,28}$/.test(withoutHyphens(id)) && kind(id) === "name" && (!id.includes("-") || /\d/.test(id));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** "fingerprint" (can be checked), "name" (an older or free form), "mistyped" (almost a fingerprint) or "bad". */
export function kind(id) {
  if (!/^[A-Z0-9_-]{1,64}$/.test(id)) return "bad";
  // 26 characters are 130 bits, of which the last two are 0: three in four slips in the last one show.
  if (TODAYS.test(id)) return ALPHABET.indexOf(id[25]) % 4 ? "mistyped" : "fingerprint";
  return hasTodaysForm(id) ? "mistyped" : "name";
}

/** The Remote ID of a certificate: base32 of the first 16 bytes of its SHA-256, given as "AB:CD:…". */
export function fromFingerprint(fingerprint) {
  const bytes = fingerprint.split(":").slice(0, 16).map((hex) => parseInt(hex, 16));
  let [bits, held, id] = [0, 0, ""];
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    for (held += 8; held >= 5; held -= 5) id += ALPHABET[(bits >> (held - 5)) & 31];
  }
  return held ? id + ALPHABET[(bits << (5 - held)) & 31] : id;
}

/** The Remote IDs of all SHA-256 fingerprints in a description. */
export function inDescription(sdp) {
  const found = sdp.split(/\r?\n/).map((line) => FINGERPRINT.exec(line)).filter(Boolean);
  return found.filter(([, hash]) => hash.toLowerCase() === "sha-256").map(([, , value]) => fromFingerprint(value));
}

/** The description without fingerprints that can't be checked: a browser might prefer one of those. */
export function withoutOtherFingerprints(sdp) {
  const keeps = (line) => (FINGERPRINT.exec(line)?.[1].toLowerCase() ?? "sha-256") === "sha-256";
  return sdp.split(/\r?\n/).filter(keeps).join("\r\n");
}
