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
