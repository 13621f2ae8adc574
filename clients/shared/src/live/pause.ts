export const BACKOFF_MAX_MS = 2_000;
const BACKOFF_FIRST_MS = 100;

/** How long to wait before the next attempt: doubled each time up to a cap, and never in step with others. */
export function backoff(attempt: number, random = Math.random): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt) * (0.5 + random() / 2);
}

/** Waits; shorter where the network comes back, the page is shown again, or `signal` ends the waiting. */
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
