import { describe, expect, test } from "vitest";

import { ClientStorage } from "../src/identity/storage";
import { messages } from "../src/language/message";
import { type Forms, inUnit, setUnit } from "../src/language/unit";
import { ar } from "../src/language/words/ar";
import { en } from "../src/language/words/en";
import { fr } from "../src/language/words/fr";

const forms = (one: string, other: string): Forms => ({ zero: other, one, two: other, few: other, many: other, other });
const STARS = forms("star", "stars");
const ETOILES = { ...forms("étoile", "étoiles"), zero: "étoile" };
const NUJUM: Forms = { zero: "نجمة", one: "نجمة", two: "نجمتان", few: "نجوم", many: "نجمة", other: "نجمة" };

class NoStorage extends ClientStorage {
  constructor() {
    super("test", () => {
      throw new Error("no storage");
    });
  }
}

describe("a brand's word for points", () => {
  test.each([
    ["Your points", STARS, "en", "Your stars"],
    ["Points", STARS, "en", "Stars"],
    ["Vos points", ETOILES, "fr", "Vos étoiles"],
    ["Donnez moins de points", ETOILES, "fr", "Donnez moins d’étoiles"],
    ["اكسب النقاط", NUJUM, "ar", "اكسب النجوم"],
  ] as const)("%s", (text, unit, locale, put) => expect(inUnit(text, unit, locale)).toBe(put));

  test("is counted in every language, and points come back with another brand", () => {
    const storage = new NoStorage();
    const counted = { en, fr, ar };
    for (const [locale, unit] of [["en", STARS], ["fr", ETOILES], ["ar", NUJUM]] as const) {
      setUnit(storage, locale, { key: "stars", ...unit });
      const shown = [1, 2, 3, 43].map((points) => counted[locale].pointsCounted({ points }));
      expect(shown).toEqual(
        {
          en: ["1 star", "2 stars", "3 stars", "43 stars"],
          fr: ["1 étoile", "2 étoiles", "3 étoiles", "43 étoiles"],
          ar: ["نجمة واحدة", "نجمتان", "3 نجوم", "43 نجمة"],
        }[locale],
      );
      setUnit(storage, locale, { key: "points", ...unit });
      expect(counted[locale].pointsCounted({ points: 43 })).not.toBe(shown[3]);
    }
  });

  test("leaves the names of arguments", () => {
    setUnit(new NoStorage(), "en", { key: "stars", ...STARS });
    expect(messages("en")<{ points: number }>("Balance: {points, number}")({ points: 4 })).toBe("Balance: 4");
    setUnit(new NoStorage(), "en", { key: "points", ...STARS });
  });
});
