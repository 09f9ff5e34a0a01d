// What the parts of a page's script have in common; they are one module, in the order of their names
// in moexbar/page/document.py. All texts are set as text. Nothing is fetched, nothing is kept.

const themes = JSON.parse(document.getElementById("themes").textContent);
const system = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // figure: what vega-embed gave
let printing = false;

const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const read = (inside, kind) => {
  const block = inside.querySelector(`script.${kind}`);
  return block && JSON.parse(block.textContent);
};
const element = (name, words, kind) => {
  const made = document.createElement(name);
  if (words !== undefined) made.textContent = words;
  if (kind) made.className = kind;
  return made;
};

// Theme: the system's until another is chosen.

const theme = () =>
  printing ? "light" : document.documentElement.dataset.theme || (system.matches ? "dark" : "light");

function retheme() {
  const other = theme() === "dark" ? "light" : "dark";
  document.getElementById("theme").textContent = `${other[0].toUpperCase()}${other.slice(1)} theme`;
  return Promise.all([...drawn.keys()].map(draw));
}

document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
  retheme();
});
system.addEventListener("change", retheme);
