// Shows each specification of the page in place of its picture, which stays for print and wherever this does not run.
for (const specification of document.querySelectorAll("script.specification")) {
  const figure = specification.closest("figure");
  const live = figure.querySelector(".live");
  const options = { renderer: "svg", ast: true, actions: false };
  const own = { defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  vegaEmbed(live, JSON.parse(specification.textContent), { ...options, ...own }).then(() => {
    figure.classList.add("explored");
    // Of a legend that nothing is chosen by Vega gives the entries no name.
    live.querySelectorAll(".role-legend:has([class*='_legend_entries'])").forEach(byKeyboard);
  });
}

// A legend to click on is also one to walk through with the tabulator and to press.
function byKeyboard(legend) {
  legend.removeAttribute("aria-roledescription");
  legend.setAttribute("role", "group");
  const labels = legend.querySelectorAll(".role-legend-label text");
  const tell = () => labels.forEach((label) => label.setAttribute("aria-pressed", label.getAttribute("opacity") === "1"));
  for (const label of labels) {
    label.setAttribute("role", "button");
    label.setAttribute("tabindex", "0");
    label.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        label.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      }
    });
  }
  legend.addEventListener("click", () => setTimeout(tell, 100));
  tell();
}
