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
