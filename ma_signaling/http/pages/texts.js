// The texts of the page's language, which this server has chosen by what the browser asked for.

const reply = await fetch(`/assets/texts/${document.documentElement.lang}.json`);
const texts = await reply.json();

/** What `path` ("doctor.title") names, with {names} replaced by `values`; a list of texts where it names one. */
export function text(path, values = {}) {
  const found = path.split(".").reduce((within, key) => within[key], texts);
  return Array.isArray(found) ? found.map((each) => fill(each, values)) : fill(found, values);
}

function fill(template, values) {
  const found = (_, name) => String(values[name] ?? "").replace(/(?<=\d) (?=m?s$)/, "\u00a0"); // "9.1 s" stays together
  return template.replaceAll(/\{(\w+)\}/g, found).replaceAll(/ {2,}/g, " ");
}
