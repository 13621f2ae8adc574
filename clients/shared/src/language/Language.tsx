import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

import { type Format, formatOf } from "./format";
import { directionOf, type Locale } from "./locale";

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

/** A catalogue of words: every language has every word, or it does not compile. */
export function catalogue<Words>(words: Readonly<Record<Locale, Words>>): () => Words {
  return () => words[useLocale()];
}
