import { expect, test } from "vitest";

import { BACKOFF_MAX_MS, backoff } from "../src/live/backoff";

test("the delay doubles up to two seconds, with jitter", () => {
  expect(backoff(0, () => 1)).toBe(100);
  expect(backoff(3, () => 1)).toBe(800);
  expect(backoff(50, () => 1)).toBe(BACKOFF_MAX_MS);
  expect(backoff(50, () => 0)).toBe(BACKOFF_MAX_MS / 2);
});
