// @ts-check
// Narrow the list of settings while the user types; without this the button does the same.

const field = /** @type {HTMLInputElement | null} */ (document.getElementById("q"));
const found = document.getElementById("found");

function narrow() {
  if (!field) return;
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const group of document.querySelectorAll("section[data-group]")) {
    let isEmpty = true;
    for (const row of group.querySelectorAll(".setting")) {
      const text = (row.getAttribute("data-words") ?? "").toLowerCase();
      const isShown = words.every((word) => text.includes(word));
      row.toggleAttribute("hidden", !isShown);
      if (isShown) count += 1;
      isEmpty = isEmpty && !isShown;
    }
    group.toggleAttribute("hidden", isEmpty);
  }
  if (found) found.textContent = words.length ? `${count} found.` : "";
}

field?.addEventListener("input", narrow);
