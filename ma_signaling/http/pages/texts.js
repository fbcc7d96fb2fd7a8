// The texts that the page brings along, in the language which this server has chosen by what the browser asked for.

const texts = JSON.parse(document.getElementById("texts").textContent);
const DECIMAL_SIGN = (0.5).toLocaleString(document.documentElement.lang)[1];
const MEASURED = ["time", "rtt", "rate"];

/** What `path` ("doctor.title") names, with {names} replaced by `values`; a list of texts where it names one. */
export function text(path, values = {}) {
  const found = path.split(".").reduce((within, key) => within[key], texts);
  return Array.isArray(found) ? found.map((each) => fill(each, values)) : fill(found, values);
}

/** "9.1 s" or "0.7", with the decimal sign of the language; number and unit stay together. */
export function measured(said) {
  return said.replace(/^(\d+)\.(\d)/, `$1${DECIMAL_SIGN}$2`).replace(/(\d) (m?s)$/, "$1\u00a0$2");
}

function fill(template, values) {
  const found = (_, name) => (MEASURED.includes(name) ? measured : String)(values[name] ?? "");
  return template.replaceAll(/\{(\w+)\}/g, found).replaceAll(/ {2,}/g, " ");
}
