import { expect, test } from "vitest";

import { amountOf, decimalsOf } from "../src/session/amount";

test("digits are in the currency's smallest unit", () => {
  expect(amountOf("4250", 2)).toBe("42.50");
  expect(amountOf("5", 2)).toBe("0.05");
  expect(amountOf("", 2)).toBe("0.00");
  expect(amountOf("1200", 0)).toBe("1200");
  expect(amountOf("1200", 3)).toBe("1.200");
});

test("decimals depend on the currency", () => {
  expect([decimalsOf("USD"), decimalsOf("JPY"), decimalsOf("TND")]).toEqual([2, 0, 3]);
});
