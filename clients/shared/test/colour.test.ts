import { expect, test } from "vitest";

import { BLACK, contrast, formatColour, inkOn, parseColour, readableOn, WHITE } from "../src/look/colour";

const colour = (text: string) => {
  const parsed = parseColour(text);
  if (parsed === null) throw new Error(text);
  return parsed;
};

test("only #RGB and #RRGGBB are parsed", () => {
  expect(parseColour("#0B5D3B")).toEqual([11, 93, 59]);
  expect(parseColour("#fa0")).toEqual([255, 170, 0]);
  expect(parseColour("green")).toBeNull();
  expect(parseColour("#12345")).toBeNull();
});

test("black and white have the maximum contrast", () => {
  expect(contrast(BLACK, WHITE)).toBeCloseTo(21);
});

test("the text colour is black or white, whichever contrasts more", () => {
  expect(inkOn(colour("#0B5D3B"))).toBe(WHITE);
  expect(inkOn(colour("#E9C988"))).toBe(BLACK);
});

test("a readable colour is unchanged, and an unreadable one is shifted until its contrast is AA", () => {
  const paper = colour("#f4f1eb");
  expect(formatColour(readableOn(colour("#0B5D3B"), paper))).toBe("#0b5d3b");
  for (const [text, ground] of [
    ["#ffd700", paper],
    ["#0B5D3B", colour("#1b201e")],
    ["#9A3F12", colour("#0B5D3B")],
  ] as const) {
    expect(contrast(readableOn(colour(text), ground), ground)).toBeGreaterThanOrEqual(4.5);
  }
});
