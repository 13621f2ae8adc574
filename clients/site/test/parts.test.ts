import { describe, expect, it } from "vitest";

import { affordable } from "../src/parts/affordable";
import { nameOf, topicOf } from "../src/parts/topics";

describe("the pieces that a member can order", () => {
  it.each([
    [{ points: 100, stock: null }, 99, 0],
    [{ points: 100, stock: null }, 100, 1],
    [{ points: 100, stock: null }, 999, 9],
    [{ points: 100, stock: 3 }, 999, 3],
    [{ points: 100, stock: 0 }, 999, 0],
    [{ points: 100, stock: null }, -80, 0],
    [{ points: 0, stock: null }, 0, Number.POSITIVE_INFINITY],
    [{ points: 0, stock: 2 }, 0, 2],
  ])("of %j with %d points are %d", (reward, available, count) => expect(affordable(reward, available)).toBe(count));
});

describe("categories and topics", () => {
  it.each([
    ["category:TEA", "Tea"],
    ["category:ICED_TEA", "Iced tea"],
    ["brand:Private", "Private"],
    ["drinks", "Drinks"],
    ["gift-cards", "Gift cards"],
    ["", ""],
  ])("%s is shown as %s", (key, name) => expect(nameOf(key)).toBe(name));

  it.each([
    [" tea ", "category:TEA"],
    ["brand:Private", "brand:Private"],
  ])("%s is sent as %s", (typed, topic) => expect(topicOf(typed)).toBe(topic));
});
