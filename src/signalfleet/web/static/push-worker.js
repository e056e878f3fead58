// @ts-check
/// <reference lib="webworker" />
// Shows notices that a push service brings, and opens the page that they speak of.

const scope = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

scope.addEventListener("push", (event) => {
  let shown = { title: "SignalFleet", body: "", url: "/notices", tag: "" };
  try {
    shown = { ...shown, ...event.data?.json() };
  } catch {
    // A message that cannot be read still tells that there is something to see.
  }
  event.waitUntil(
    scope.registration.showNotification(shown.title, {
      body: shown.body,
      tag: shown.tag,
      data: { url: shown.url },
    }),
  );
});

scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const address = new URL(event.notification.data?.url || "/notices", scope.location.origin);
  const isOurs = address.origin === scope.location.origin;
  event.waitUntil(scope.clients.openWindow(isOurs ? address.href : "/notices"));
});
