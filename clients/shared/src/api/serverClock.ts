/** The server's clock, from the `Date` of its answers. A device's clock may be wrong by hours. */

/** `Date` has whole seconds, and clocks that agree this well need no correction. */
const AGREEMENT_MS = 2_000;

let offset: number | null = null;

/** Compares the clocks; `sentAt` and `receivedAt` are by the device's. An answer without a `Date` changes nothing. */
export function observeServerClock(date: string | null, sentAt: number, receivedAt: number): void {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return;
  const ahead = server + 500 - (sentAt + receivedAt) / 2;
  offset = Math.abs(ahead) <= AGREEMENT_MS + (receivedAt - sentAt) / 2 ? 0 : ahead;
}

/** Milliseconds since the epoch by the server's clock; null before its first answer. */
export function knownServerNow(): number | null {
  return offset === null ? null : Date.now() + offset;
}

/** As `knownServerNow()`, but by the device's clock before the first answer. */
export function serverNow(): number {
  return knownServerNow() ?? Date.now();
}

/** Fetches, and compares the clocks. Nothing comes from the browser's cache, because its `Date` would be old. */
export async function timedFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const sentAt = Date.now();
  const response = await fetch(input, { ...init, cache: "no-store" });
  observeServerClock(response.headers.get("date"), sentAt, Date.now());
  return response;
}
