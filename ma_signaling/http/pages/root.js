// The box for a Remote ID: to the doctor, with the ID in the fragment, which no server and no log sees.
document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = document.getElementById("remote-id").value.trim();
  location.href = id ? `/doctor#${encodeURIComponent(id)}` : "/doctor";
});
