// Asking the server. No DOM.

/** {reply, body} for a path; without a body where it is no JSON: a proxy answers in the server's place. */
export async function fetchJson(path, signal) {
  const reply = await fetch(path, { signal });
  const notJson = (problem) => {
    if (!(problem instanceof SyntaxError)) throw problem;
  };
  return { reply, body: await reply.json().catch(notJson) };
}
