// Elements of a page, found and made.

export const find = (id) => document.getElementById(id);

export function element(name, className, content = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = content;
  return made;
}
