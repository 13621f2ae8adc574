import { describe, expect, test } from "vitest";

import { messages } from "../src/language/message";
import { ar } from "../src/language/words/ar";
import { en } from "../src/language/words/en";
import { fr } from "../src/language/words/fr";

const COUNTS = [0, 1, 2, 3, 10, 11, 100, 1000];

describe("a count has the form of its language", () => {
  test.each([
    ["English", en, ["0 points", "1 point", "2 points", "3 points", "10 points", "11 points", "100 points", "1,000 points"]],
    [
      "French",
      fr,
      ["0 point", "1 point", "2 points", "3 points", "10 points", "11 points", "100 points", "1\u202f000 points"],
    ],
    [
      "Arabic",
      ar,
      ["0 نقطة", "نقطة واحدة", "نقطتان", "3 نقاط", "10 نقاط", "11 نقطة", "100 نقطة", "1,000 نقطة"],
    ],
  ])("%s", (_, words, forms) => {
    expect(COUNTS.map((points) => words.pointsCounted({ points }))).toEqual(forms);
  });

  test("and so has the sentence around it", () => {
    expect([1, 2].map((points) => en.status.expiring({ points, day: "1 May" }))).toEqual([
      "1 point expires on 1 May",
      "2 points expire on 1 May",
    ]);
    expect([0, 1, 2].map((points) => fr.status.expiring({ points, day: "1 mai" }))).toEqual([
      "0 point expire le 1 mai",
      "1 point expire le 1 mai",
      "2 points expirent le 1 mai",
    ]);
    expect([1, 2, 3, 11].map((count) => ar.offer.usesLeft({ count }))).toEqual([
      "استخدام واحد متبقٍّ",
      "استخدامان متبقيان",
      "3 استخدامات متبقية",
      "11 استخدامًا متبقيًا",
    ]);
  });

  test("and so has the word beside a number", () => {
    expect([0, 1, 2].map((points) => fr.points({ points }))).toEqual(["point", "point", "points"]);
    expect(COUNTS.map((points) => ar.points({ points }))).toEqual([
      "نقطة",
      "نقطة",
      "نقطتان",
      "نقاط",
      "نقاط",
      "نقطة",
      "نقطة",
      "نقطة",
    ]);
  });
});

test("text is filled in as it is, and a missing value fails", () => {
  const hello = messages("en")<{ name: string }>("Hello {name}");
  expect(hello({ name: "{name} <b>" })).toBe("Hello {name} <b>");
  expect(() => hello({} as { name: string })).toThrow(/name/);
});
