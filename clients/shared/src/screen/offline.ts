/** Registers the service worker, so that the screen opens without a network. Only builds have one. */
export function openOffline(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  window.addEventListener("load", () => {
    navigator.serviceWorker.register(`${import.meta.env.BASE_URL}sw.js`).catch((error: unknown) => {
      // A private window may forbid service workers.
      console.warn("The service worker was not registered: this screen will not open offline.", error);
    });
  });
}
