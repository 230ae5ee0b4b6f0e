// Sorts the table by a column, and shows the rows that hold the words and have one of the verdicts asked for.
const table = document.querySelector("table.index");
const body = table.tBodies[0];
const rows = [...body.rows];
const search = document.querySelector("[role=search]");
const words = search.querySelector("input[type=search]");
const verdicts = [...search.querySelectorAll("input[type=checkbox]")];
const told = search.querySelector("[role=status]");
const texts = rows.map((row) => (row.cells[0].textContent + row.cells[1].textContent).toLowerCase());
const collator = new Intl.Collator(undefined, { numeric: true });

function filter() {
  const asked = words.value.toLowerCase().split(/\s+/);
  const chosen = verdicts.filter((box) => box.checked).map((box) => box.value);
  let shown = 0;
  rows.forEach((row, k) => {
    const fits = !chosen.length || chosen.includes(row.dataset.verdict);
    row.hidden = !(fits && asked.every((word) => texts[k].includes(word)));
    shown += !row.hidden;
  });
  told.textContent = `${shown} of ${rows.length} comparisons`;
}

// What a row has not stands last, whichever way the others go.
function sort(header) {
  const sign = header.ariaSort === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.ariaSort = sign === 1 ? "ascending" : "descending";
  const keyed = rows.map((row) => [row.cells[header.cellIndex].dataset.key, row]);
  keyed.sort(([a], [b]) => (a && b ? sign * collator.compare(a, b) : !a - !b));
  body.append(...keyed.map(([, row]) => row));
}

for (const header of table.tHead.rows[0].cells) {
  if (!("sorts" in header.dataset)) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sort(header));
  header.append(button);
}
words.addEventListener("input", filter);
for (const box of verdicts) box.addEventListener("change", filter);
search.hidden = false;
// A browser that has kept what was typed shows what fits it.
filter();
