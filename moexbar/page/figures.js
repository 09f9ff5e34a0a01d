// Figures, drawn when they come into view.

const COMPOSED = ["hconcat", "vconcat", "concat", "facet", "repeat"];
const SVG_AT_MOST = 1500; // rows of data; more are drawn as pixels, which is faster

// A wide picture of one view takes the width that there is, others at most that. Of several views
// each gets or gives its part of what is left over or missing when they are drawn as written.

const LEAST = 140; // pixels of a view
const AXIS = 60; // about those of an axis beside it
const NARROW = 560; // pixels of a page on which legends stand below
const BELOW = { orient: "bottom", columns: 2 };

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
// that one view of several has, columns that only some compilations have values for, and lines that
// are faint unless they are marked.
const EXPECTED = /(Dropping "fit-|Infinite extent|Conflicting legend property "disable"|Channel opacity)/;
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
  const { config, ...around } = themes[theme()];
  const legend = { ...config.legend, symbolLimit: 0, ...(room < NARROW ? BELOW : {}) };
  const whole = { ...spec, ...around, padding: 4, config: { ...config, legend } };
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
