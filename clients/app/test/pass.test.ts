import { expect, test } from "vitest";

import { endOf } from "../src/pass";

const NOW = Date.parse("2026-01-01T10:00:00Z");

test("a pass is shown until it expires", () => {
  expect(endOf("2026-01-01T10:01:00Z", NOW) - NOW).toBe(60_000);
});

test("a phone whose clock is wrong shows a new pass for less than a pass's lifetime", () => {
  expect(endOf("2026-01-01T09:00:00Z", NOW) - NOW).toBe(50_000);
  expect(endOf("2026-01-01T12:00:00Z", NOW) - NOW).toBe(50_000);
});
