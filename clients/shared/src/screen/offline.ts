/** Keeps this screen's files in the browser, so that it opens without a network. In development there are none to keep. */
export function openOffline(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  window.addEventListener("load", () => {
    navigator.serviceWorker.register(`${import.meta.env.BASE_URL}sw.js`).catch((error: unknown) => {
      // A private window may forbid it: the screen then works with a network only.
      console.warn("This screen will not open without a network.", error);
    });
  });
}
