import { afterEach, beforeEach, expect, test, vi } from "vitest";

const HOUR_MS = 3_600_000;
const SERVER = Date.parse("2026-06-01T12:00:00Z");
const WRONG_BY_MS = [-50 * HOUR_MS, -7 * HOUR_MS, -90_000, 0, 90_000, 2 * HOUR_MS, 50 * HOUR_MS];

beforeEach(() => {
  vi.resetModules();
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

async function clockWrongBy(ms: number, answered = true) {
  vi.setSystemTime(SERVER + ms);
  const clock = await import("../src/api/serverClock");
  const token = await import("../src/identity/token");
  if (answered) clock.observeServerClock(new Date(SERVER).toUTCString(), Date.now() - 40, Date.now());
  return { ...clock, ...token };
}

test.each(WRONG_BY_MS)("the server's clock is known on a device that is wrong by %d ms", async (wrong) => {
  const { serverNow } = await clockWrongBy(wrong);
  expect(Math.abs(serverNow() - SERVER)).toBeLessThan(1_000);
  vi.advanceTimersByTime(60_000);
  expect(Math.abs(serverNow() - SERVER - 60_000)).toBeLessThan(1_000);
});

test.each(WRONG_BY_MS)("a token expires by the server's clock on a device that is wrong by %d ms", async (wrong) => {
  const { isExpired, renewalDelay } = await clockWrongBy(wrong);
  const token = { value: "t", expiresAt: SERVER + 600_000 };
  expect(isExpired(token)).toBe(false);
  expect(Math.abs((renewalDelay(token) ?? 0) - 570_000)).toBeLessThan(1_000);
  vi.advanceTimersByTime(601_000);
  expect(isExpired(token)).toBe(true);
});

test.each(WRONG_BY_MS)("before the server's first answer, no token is expired (wrong by %d ms)", async (wrong) => {
  const { isExpired, renewalDelay, serverNow } = await clockWrongBy(wrong, false);
  expect(isExpired({ value: "t", expiresAt: SERVER - 600_000 })).toBe(false);
  expect(renewalDelay({ value: "t", expiresAt: SERVER + 600_000 })).toBe(null);
  expect(serverNow()).toBe(Date.now());
});

test("an answer without a valid date, and clocks that agree to the second, change nothing", async () => {
  const { knownServerNow, observeServerClock } = await clockWrongBy(0, false);
  for (const date of [null, "", "soon"]) observeServerClock(date, Date.now(), Date.now());
  expect(knownServerNow()).toBe(null);
  observeServerClock(new Date(SERVER - 1_000).toUTCString(), Date.now(), Date.now());
  expect(knownServerNow()).toBe(Date.now());
});
