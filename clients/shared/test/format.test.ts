import { expect, test } from "vitest";

import { formatOf } from "../src/language/format";

test("money is formatted to the last digit, and its currency is isolated from the text's direction", () => {
  expect(formatOf("en").money("1234567890123456.78", "EUR")).toBe("\u2068€\u20691,234,567,890,123,456.78");
  expect(formatOf("ar").money("5.00", "USD")).toBe("\u200f5.00\u00a0\u2068US$\u2069");
});
