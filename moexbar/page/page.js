// What a page does: draws its figures when they come into view, in its theme; zoom, tables, points.
// All texts are set as text. Nothing is fetched, and nothing is kept after the page is closed.

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

// Figures.

const COMPOSED = ["hconcat", "vconcat", "concat", "facet", "repeat"];
const SVG_AT_MOST = 1500; // rows of data; more are drawn as pixels, which is faster

// A wide picture of one view takes the width that there is, others at most that. Of several views
// each gets or gives its part of what is left over or missing when they are drawn as written.

const LEAST = 140; // pixels of a view
const AXIS = 60; // about those of an axis beside it

const single = (spec) =>
  !COMPOSED.some((key) => key in spec)
  && !["row", "column", "facet"].some((key) => key in (spec.encoding || {}));

function widened(spec, by) {
  const wider = (one, part) => {
    if (!single(one)) return widened(one, part);
    return typeof one.width === "number" ? { ...one, width: Math.max(one.width + part, LEAST) } : one;
  };
  const made = { ...spec };
  if (spec.vconcat) made.vconcat = spec.vconcat.map((one) => wider(one, by));
  if (spec.hconcat) made.hconcat = spec.hconcat.map((one) => wider(one, by / spec.hconcat.length));
  const beside = besides(spec);
  const add = (width) => (typeof width === "number" ? Math.max(width + by / beside, LEAST) : width);
  if (beside && spec.spec) made.spec = { ...spec.spec, width: add(spec.spec.width) };
  else if (beside) made.width = add(spec.width);
  return made;
}

// How many views a picture has beside each other by a column of its data; 0 where it has no such.
function besides(spec) {
  const by = spec.encoding?.column || spec.encoding?.facet || spec.facet?.column || spec.facet;
  if (!by?.field || !Array.isArray(spec.data?.values)) return 0;
  const count = new Set(spec.data.values.map((row) => row[by.field])).size;
  return Math.min(count, by.columns || spec.columns || count);
}

const embedded = (place, spec, small) =>
  vegaEmbed(place, spec, {
    actions: false,
    ast: true, // expressions are walked, never compiled: the page allows no evaluation
    defaultStyle: false,
    renderer: small ? "svg" : "canvas",
    tooltip: hover,
  });

// Vega warns of what is meant so here: bars of fixed height in a picture as wide as the page, legends
// that one view of several has, and columns that only some compilations have values for.
const EXPECTED = /(Dropping "fit-|Infinite extent|Conflicting legend property "disable")/;
const warn = console.warn.bind(console);
console.warn = (...words) => words.some((one) => EXPECTED.test(one)) || warn(...words);

async function fitted(figure, place, spec, small) {
  const room = place.clientWidth;
  const wide = figure.classList.contains("wide") && !figure.classList.contains("shape");
  if (single(spec)) {
    const fits = typeof spec.width === "number" && (wide || spec.width > room - AXIS);
    return embedded(place, fits ? { ...spec, width: "container" } : spec, small);
  }
  const made = await embedded(place, spec, small);
  const by = Math.floor(room - place.querySelector("canvas, svg").getBoundingClientRect().width);
  if (!room || Math.abs(by) < 8 || (by > 0 && !wide)) return made;
  made.finalize();
  return embedded(place, widened(spec, by), small);
}

function unpacked(spec, key) {
  if (Array.isArray(spec)) return spec.map((one) => unpacked(one));
  if (spec === null || typeof spec !== "object") return spec;
  if (key === "data" && spec.columns) {
    const names = Object.keys(spec.columns);
    const count = names.length ? spec.columns[names[0]].length : 0;
    const row = (at) => Object.fromEntries(names.map((name) => [name, spec.columns[name][at]]));
    return { values: Array.from({ length: count }, (_, at) => row(at)) };
  }
  return Object.fromEntries(Object.entries(spec).map(([name, value]) => [name, unpacked(value, name)]));
}

function rows(spec) {
  const count = (data) => data?.values?.length || 0;
  const parts = [...COMPOSED, "layer"].flatMap((key) => (Array.isArray(spec[key]) ? spec[key] : []));
  const sets = Object.values(spec.datasets || {}).map((set) => set.length || 0);
  return [count(spec.data), ...sets, ...parts.map(rows)].reduce((a, b) => a + b, 0);
}

async function draw(figure) {
  const place = figure.querySelector(".view");
  const spec = figure.made ? figure.made() : unpacked(read(figure, "spec"));
  const small = rows(spec) <= SVG_AT_MOST;
  const room = place.clientWidth;
  const whole = { ...spec, ...themes[theme()], padding: 4 };
  try {
    const old = drawn.get(figure);
    const made = await fitted(figure, place, whole, small);
    old?.finalize();
    drawn.set(figure, { ...made, zooms: bound(spec), whole: {} });
    figure.dataset.drawn = theme();
    figure.dataset.width = room;
    finish(figure, made.view);
  } catch (problem) {
    place.textContent = `This figure could not be drawn: ${problem.message}`;
    console.error(problem);
  }
}

function finish(figure, view) {
  const place = figure.querySelector(".view");
  for (const one of all("canvas, svg", place)) one.setAttribute("aria-hidden", "true"); // named outside
  if (!figure.tools) {
    figure.tools = tools(figure);
    place.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== place) event.stopPropagation();
    }, { capture: true }); // else a page could not be scrolled past a figure that zooms
    place.addEventListener("keydown", (event) => pressed(figure, event));
  }
  const zooms = drawn.get(figure).zooms.length > 0;
  for (const one of figure.tools.zoom) one.hidden = !zooms;
  if (zooms) place.tabIndex = 0;
  if (figure.picked) view.addEventListener("click", (_, item) => figure.picked(item?.datum));
}

const seen = new IntersectionObserver((entries) => {
  const fresh = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  for (const figure of fresh) seen.unobserve(figure);
  Promise.all(fresh.map(draw)).then(() => {
    document.documentElement.dataset.drawn ||= Math.round(performance.now()); // ms to the first screen
  });
}, { rootMargin: "200px" });

let later;
addEventListener("resize", () => {
  clearTimeout(later);
  later = setTimeout(() => {
    for (const figure of drawn.keys()) {
      if (+figure.dataset.width !== figure.querySelector(".view").clientWidth) draw(figure);
    }
  }, 150);
});

// Zoom: every selection that is bound to the scales, by buttons and keys as well as by the wheel.

function bound(spec) {
  const own = (spec.params || []).filter((one) => one.bind === "scales").map((one) => one.name);
  const parts = [...COMPOSED, "layer"].flatMap((key) => (Array.isArray(spec[key]) ? spec[key] : []));
  return [...own, ...parts.flatMap(bound)];
}

const spans = ({ view, zooms }) =>
  zooms.flatMap((name) =>
    view.signal(`${name}_tuple_fields`).map((one) => [`${name}_${one.field}`, one.channel]));

function zoom(figure, factor, shift) {
  const { view } = drawn.get(figure);
  for (const [name, channel] of spans(drawn.get(figure))) {
    const whole = (drawn.get(figure).whole[name] ??= view.scale(channel).domain());
    const [low, high] = factor === null ? whole : view.scale(channel).domain();
    const middle = (low + high) / 2 + shift * (high - low);
    const half = ((high - low) / 2) * (factor ?? 1);
    view.signal(name, [middle - half, middle + half]);
  }
  view.runAsync();
}

const KEYS = {
  "+": [0.5, 0], "=": [0.5, 0], "-": [2, 0], ArrowLeft: [1, -0.25], ArrowRight: [1, 0.25], 0: [null, 0], // the whole
};

function pressed(figure, event) {
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  zoom(figure, ...KEYS[event.key]);
}

function tools(figure) {
  const bar = element("div", undefined, "tools");
  const button = (words, label, act) => {
    const made = element("button", words);
    made.type = "button";
    made.title = label;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  };
  const steps = [
    ["+", "Zoom in", 0.5, 0], ["−", "Zoom out", 2, 0], ["‹", "To the left", 1, -0.25],
    ["›", "To the right", 1, 0.25], ["All", "Show all", null, 0],
  ];
  const zooms = steps.map(([words, label, factor, shift]) =>
    button(words, label, () => zoom(figure, factor, shift)));
  button("SVG", "Save as SVG", () => save(figure, "svg"));
  button("PNG", "Save as PNG", () => save(figure, "png"));
  figure.querySelector(".view").before(bar);
  return { zoom: zooms };
}

async function save(figure, form) {
  const link = element("a");
  const { view } = drawn.get(figure);
  await view.runAsync(); // what was asked of it before
  link.href = await view.toImageURL(form, form === "png" ? 2 : 1);
  link.download = `${figure.dataset.kind || "figure"}.${form}`;
  link.click();
}

// What is under the pointer, in a box beside it.

const box = element("div", undefined, "hover");
box.setAttribute("role", "tooltip");
document.body.append(box);

function hover(handler, event, item, value) {
  box.hidden = value === null || value === undefined || value === "";
  if (box.hidden) return;
  if (typeof value === "object") {
    const lines = Object.entries(value).filter(([, said]) => said !== null && said !== "");
    box.replaceChildren(...lines.flatMap(([name, said]) => [element("b", name), element("span", said)]));
  } else {
    box.replaceChildren(element("span", value, "alone"));
  }
  const { width, height } = box.getBoundingClientRect();
  const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
  const top = event.clientY + 14 + height > innerHeight ? event.clientY - 14 - height : event.clientY + 14;
  box.style.left = `${Math.max(left, 4)}px`;
  box.style.top = `${Math.max(top, 4)}px`;
}
box.hidden = true;
addEventListener("scroll", () => (box.hidden = true), { passive: true });

// Tables that are sorted by a click on a heading.

const worth = (row, column) => {
  const cell = row.cells[column];
  const number = cell.dataset.v === undefined ? parseFloat(cell.textContent) : +cell.dataset.v;
  return Number.isFinite(number) ? number : null;
};

function sort(table, column, down) {
  const body = table.tBodies[0];
  const compare = (a, b) => {
    const [x, y] = [worth(a, column), worth(b, column)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return (x === null) - (y === null);
    return a.cells[column].textContent.localeCompare(b.cells[column].textContent);
  };
  body.append(...[...body.rows].sort((a, b) => (down ? -compare(a, b) : compare(a, b))));
}

for (const table of all("table.sorted")) {
  all("thead th", table).forEach((head, column) => {
    const button = element("button");
    button.append(...head.childNodes);
    button.type = "button";
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, down);
    });
    head.replaceChildren(button);
  });
}

// Buttons that copy the text of what they name.

for (const button of all("button.copy")) {
  button.addEventListener("click", async () => {
    const words = document.getElementById(button.dataset.of).textContent;
    try {
      await navigator.clipboard.writeText(words);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.of));
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

// A sweep: any two figures of its points against each other, and each point's settings and command.

const LAST = ["other", "front", "knee"];

function sweep(section) {
  const figure = section.querySelector("figure");
  if (!figure) return;
  const { points, names, fronts, spec } = read(figure, "sweep");
  const [across, up] = all("select.axis", section);
  const [show, search] = [section.querySelector("select.show"), section.querySelector("input.search")];
  const rowOf = new Map(all("tbody tr", section).map((row) => [+row.dataset.point, row]));
  const pair = () =>
    fronts[[+across.value, +up.value].sort((a, b) => a - b).join()] || { front: [], knee: [] };

  figure.made = () => {
    const { front, knee } = pair();
    const made = structuredClone(spec);
    const kind = (at) => (knee.includes(at) ? "knee" : front.includes(at) ? "front" : "other");
    made.data.values = points
      .map(({ number, words, figures }) => ({
        point: number, set: words, kind: kind(number), x: figures[+across.value], y: figures[+up.value],
      }))
      .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
      .sort((a, b) => LAST.indexOf(a.kind) - LAST.indexOf(b.kind)); // drawn over the others
    made.encoding.x.title = names[+across.value];
    made.encoding.y.title = names[+up.value];
    return made;
  };
  figure.picked = (datum) => datum?.point !== undefined && pick(datum.point, true);

  function pick(number, scroll) {
    for (const [other, row] of rowOf) row.classList.toggle("picked", other === number);
    const point = points.find((one) => one.number === number);
    section.querySelector(".point h3").textContent = `Point ${number}`;
    section.querySelector(".point p").textContent = [point.words, point.reason].filter(Boolean).join(": ");
    section.querySelector(".point code").textContent = point.command;
    section.querySelector(".point").hidden = false;
    if (scroll) rowOf.get(number)?.scrollIntoView({ block: "nearest" });
  }

  function filter() {
    const { front } = pair();
    const words = search.value.toLowerCase();
    for (const [number, row] of rowOf) {
      row.classList.toggle("front", front.includes(number));
      const right = show.value === "all" || (show.value === "front" && front.includes(number))
        || (show.value === "failed" && row.dataset.failed === "1");
      row.hidden = !right || !row.textContent.toLowerCase().includes(words);
    }
  }

  for (const choice of [across, up]) {
    choice.addEventListener("change", () => {
      filter();
      draw(figure);
    });
  }
  show.addEventListener("change", filter);
  search.addEventListener("input", filter);
  section.querySelector("tbody").addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) pick(+row.dataset.point, false);
  });
  filter();
}

// Print: everything open, light, and drawn. No step of this waits for a clock or a frame, so it is
// done before the browser lays the pages out.

let folded = [];
addEventListener("beforeprint", () => {
  printing = true;
  folded = all("details:not([open])");
  for (const one of folded) one.open = true;
  for (const figure of all("figure.plot")) draw(figure);
});
addEventListener("afterprint", () => {
  printing = false;
  for (const one of folded) one.open = false;
  retheme();
});

for (const section of all("section.sweep")) sweep(section);
for (const figure of all("figure.plot")) seen.observe(figure);
retheme();
