import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

import { type Format, formatOf } from "./format";
import { directionOf, type Locale } from "./locale";
import { type Forms, inUnit, unitIn } from "./unit";

interface Language {
  readonly locale: Locale;
  readonly format: Format;
}

const Context = createContext<Language>({ locale: "en", format: formatOf("en") });

/** The language of everything below, and of the page itself. */
export function LanguageProvider({ locale, children }: { locale: Locale; children: ReactNode }) {
  const language = useMemo(() => ({ locale, format: formatOf(locale) }), [locale]);
  useEffect(() => {
    document.documentElement.lang = locale;
    document.documentElement.dir = directionOf(locale);
  }, [locale]);
  return <Context value={language}>{children}</Context>;
}

export function useLocale(): Locale {
  return useContext(Context).locale;
}

export function useFormat(): Format {
  return useContext(Context).format;
}

/** A catalogue of words: every language has every word, or it does not compile. Points have the brand's own name. */
export function catalogue<Words>(words: Readonly<Record<Locale, Words>>): () => Words {
  const known = new Map<Forms, Words>();
  return () => {
    const locale = useLocale();
    const unit = unitIn(locale);
    if (unit === null) return words[locale];
    const found = known.get(unit) ?? renamed(words[locale], unit, locale);
    known.set(unit, found);
    return found;
  };
}

/** The same words, in which plain texts have the brand's word for points; messages look it up themselves. */
function renamed<Words>(words: Words, unit: Forms, locale: Locale): Words {
  if (typeof words === "string") return inUnit(words, unit, locale) as Words;
  if (typeof words !== "object" || words === null) return words;
  return Object.fromEntries(Object.entries(words).map(([name, each]) => [name, renamed(each, unit, locale)])) as Words;
}
