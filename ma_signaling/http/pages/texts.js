// The texts that the page brings along, in the language which this server has chosen by what the browser asked for.

const texts = JSON.parse(document.getElementById("texts").textContent);

/** What `path` ("doctor.title") names, with {names} replaced by `values`; a list of texts where it names one. */
export function text(path, values = {}) {
  const found = path.split(".").reduce((within, key) => within[key], texts);
  return Array.isArray(found) ? found.map((each) => fill(each, values)) : fill(found, values);
}

function fill(template, values) {
  const found = (_, name) => String(values[name] ?? "").replace(/(?<=\d) (?=m?s$)/, "\u00a0"); // "9.1 s" stays together
  return template.replaceAll(/\{(\w+)\}/g, found).replaceAll(/ {2,}/g, " ");
}
