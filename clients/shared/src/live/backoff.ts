export const BACKOFF_MAX_MS = 2_000;
const BACKOFF_FIRST_MS = 100;

/** Milliseconds before the next attempt: doubles up to a cap, with jitter of up to half. */
export function backoff(attempt: number, random = Math.random): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt) * (0.5 + random() / 2);
}

/** Waits; ends early if the network comes back, the page's visibility changes, or `signal` aborts. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      window.clearTimeout(timer);
      window.removeEventListener("online", done);
      document.removeEventListener("visibilitychange", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = window.setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    document.addEventListener("visibilitychange", done);
    signal.addEventListener("abort", done);
  });
}
