/** The brand's word for its points, in the words that are written for "points": 1 star, 2 stars. As schema/wire/unit.py. */
import type { ClientStorage } from "../identity/storage";
import type { Locale } from "./locale";

/** The forms of a counted word, by the plural categories of CLDR. */
export interface Forms {
  readonly zero: string;
  readonly one: string;
  readonly two: string;
  readonly few: string;
  readonly many: string;
  readonly other: string;
}

/** The key of the wallet of a programme that does not name its points. */
const POINTS = "points";
// After a brace it is the name of an argument. Arabic joins articles and pronouns to the noun.
const NOUNS: Readonly<Record<Locale, RegExp>> = {
  en: /(?<!\{)\b(p)oints?\b/gi,
  fr: /(?<!\{)(?:\b([DdLl])([ea]) )?\b(p)oints?\b/gi,
  ar: /نقطتين|نقطتان|نقاط|نقطة/g,
};
const BRANCH = /((?:=\d+|zero|one|two|few|many|other) )\{([^{}]*)\}/g;
const VOWEL = /^[aeiouyhàâéèêëîïôûœ]/i;

const units: Partial<Record<Locale, Forms>> = {};

/** The brand's word in a language; null for points. */
export function unitIn(locale: Locale): Forms | null {
  return units[locale] ?? null;
}

/** Sets the word of a wallet for all texts in a language, and stores it for the next visit. */
export function setUnit(storage: ClientStorage, locale: Locale, { key, ...forms }: Forms & { key: string }): void {
  const unit = key === POINTS ? null : forms;
  if (JSON.stringify(unit) === JSON.stringify(unitIn(locale))) return;
  apply(locale, unit);
  storage.write(`unit-${locale}`, JSON.stringify(unit));
}

/** Applies the word of the last visit, so that it does not change once the programme is loaded. */
export function applyStoredUnit(storage: ClientStorage, locale: Locale): void {
  if (units[locale] !== undefined) return;
  try {
    apply(locale, JSON.parse(storage.read(`unit-${locale}`) ?? "null") as Forms | null);
  } catch {
    apply(locale, null); // written by an earlier release in another form
  }
}

function apply(locale: Locale, unit: Forms | null): void {
  if (unit === null) delete units[locale];
  else units[locale] = unit;
}

/** Returns a text, or the pattern of an ICU message, in which the word for points is the brand's. */
export function inUnit(pattern: string, forms: Forms, locale: Locale): string {
  let done = "";
  let last = 0;
  for (const branch of pattern.matchAll(BRANCH)) {
    const [whole, start = "", text = ""] = branch;
    done += withNoun(pattern.slice(last, branch.index), forms, locale, null);
    done += `${start}{${withNoun(text, forms, locale, start.trim())}}`;
    last = branch.index + whole.length;
  }
  return done + withNoun(pattern.slice(last), forms, locale, null);
}

function withNoun(text: string, forms: Forms, locale: Locale, category: string | null): string {
  return text.replace(NOUNS[locale], (found) => {
    const article = locale === "fr" && found.includes(" ") ? found.slice(0, 2) : "";
    const noun = article === "" ? found : found.slice(article.length + 1);
    let word = forms[category !== null && category in forms ? (category as keyof Forms) : formOf(noun, locale, category)];
    if (noun === "نقطتين") word = word.replace(/ان$/, "ين");
    if (noun.startsWith("P")) word = word.charAt(0).toUpperCase() + word.slice(1);
    if (article === "") return word;
    return VOWEL.test(word) ? `${article.charAt(0)}’${word}` : `${article} ${word}`;
  });
}

function formOf(noun: string, locale: Locale, category: string | null): keyof Forms {
  if (category !== null) return "other";
  if (/^point$/i.test(noun) || noun === "نقطة") return "one";
  if (noun.startsWith("نقطت")) return "two";
  return locale === "ar" ? "few" : "other";
}
