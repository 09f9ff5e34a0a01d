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
