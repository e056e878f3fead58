// @ts-check
// Asks the browser for permission, subscribes, and hands the subscription in with a form.

/** @param {string} text */
function bytesOf(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

/** @param {HTMLFormElement} form */
async function subscribe(form) {
  const said = /** @type {HTMLElement} */ (form.querySelector("[data-said]"));
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("subscription"));
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    said.textContent = "This browser cannot show notices.";
    return;
  }
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      said.textContent = "The browser does not allow it. Change that in its settings for this site.";
      return;
    }
    const worker = await navigator.serviceWorker.register("/push-worker.js");
    await navigator.serviceWorker.ready;
    const key = bytesOf(form.dataset.pushKey ?? "");
    const before = await worker.pushManager.getSubscription();
    await before?.unsubscribe();
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    field.value = JSON.stringify(made);
    form.submit();
  } catch {
    said.textContent = "The browser could not reach its push service. Try again.";
  }
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("form[data-push-key]")) return;
  event.preventDefault();
  void subscribe(form);
});
