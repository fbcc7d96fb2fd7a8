// The front page: the web app, the box for a Remote ID, and what this server is called.

import { appLink } from "./app.js";
import { isLocal } from "./doctor/candidates.js";
import * as remoteId from "./doctor/remote_id.js";
import { find } from "./elements.js";

// To the doctor with the ID in the fragment, which no server and no log sees.
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = remoteId.tidy(find("remote-id").value);
  location.href = id ? `/doctor#${encodeURIComponent(id)}` : "/doctor";
});

const app = appLink(find("open").dataset.app, location);
if (app) {
  find("open").href = app;
  find("listen").hidden = false;
}

const address = new URL("/ws", location);
address.protocol = address.protocol.replace("http", "ws");
find("address").value = address.href;
for (const id of ["form", "where"]) find(id).hidden = false;
find(address.protocol === "wss:" ? "tls" : "no-tls").hidden = false;
const name = find(isLocal(location.hostname) ? "local-name" : "public-name");
name.textContent = name.textContent.replace("{host}", location.host);
name.hidden = false;

const copy = find("copy");
const says = copy.textContent;
copy.addEventListener("click", async () => {
  find("address").select();
  try {
    await navigator.clipboard.writeText(address.href);
    copy.textContent = copy.dataset.copied;
    setTimeout(() => { copy.textContent = says; }, 3000);
  } catch {
    // It is selected, for whoever copies by hand.
  }
});
