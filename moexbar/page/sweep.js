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
