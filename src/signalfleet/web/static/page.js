// @ts-check
// Ages that count on, the banner over stale numbers, the count in the title, the tint of a change.

const STALE_AFTER_MS = 20000;
const TINT_MS = 200;

const isLive = document.body.hasAttribute("sse-connect");
let beatAt = Date.now();
let ahead = 0;

window.addEventListener("sf:hb", (event) => {
  beatAt = Date.now();
  ahead = Date.parse(/** @type {CustomEvent} */ (event).detail) - beatAt;
});

/** @param {number} ms */
function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function tick() {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-age]")) {
    const at = Date.parse(element.getAttribute("datetime") ?? "");
    if (!Number.isNaN(at)) element.textContent = age(now + ahead - at);
  }
  const isStale = isLive && now - beatAt > STALE_AFTER_MS;
  document.body.toggleAttribute("data-stale", isStale);
  const banner = document.getElementById("stale");
  if (banner && banner.hidden === isStale) {
    banner.hidden = !isStale;
    const shown = new Date(beatAt).toLocaleTimeString([], { hour12: false });
    banner.textContent = isStale ? `Numbers are from ${shown}, reconnecting.` : "";
  }
}

const title = document.title;

function countInTitle() {
  const open = document.querySelector("[data-open]")?.getAttribute("data-open") ?? "0";
  document.title = open === "0" ? title : `(${open}) ${title}`;
}

new MutationObserver((changes) => {
  for (const change of changes) {
    const cell = change.target.parentElement?.closest("td.num");
    if (!cell || change.type !== "characterData") continue;
    cell.classList.add("tick");
    window.setTimeout(() => cell.classList.remove("tick"), TINT_MS);
  }
}).observe(document.body, { subtree: true, characterData: true });

for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => /** @type {HTMLSelectElement} */ (select).form?.submit());
}

document.body.addEventListener("htmx:afterSettle", countInTitle);
countInTitle();
window.setInterval(tick, 1000);
