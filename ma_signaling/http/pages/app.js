// Where Music Assistant is opened: in this server's own web app; the public one can use only the public server. No DOM.

const PUBLIC = { server: "signaling.music-assistant.io", app: "https://app.music-assistant.io/" };

/** The address of a web app that uses the server at `place`, for a home; null if none does. `own` is this server's, or "". */
export function appLink(own, place, id = "") {
  const app = own || (place.hostname === PUBLIC.server && PUBLIC.app);
  if (!app) return null;
  const link = new URL(app, place.href);
  if (id) link.searchParams.set("remote_id", id);
  return link.href;
}
