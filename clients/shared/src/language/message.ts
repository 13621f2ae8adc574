import { IntlMessageFormat } from "intl-messageformat";

import { type Locale, TAGS } from "./locale";
import { type Forms, inUnit, unitIn } from "./unit";

export type Values = Readonly<Record<string, string | number>>;
/** A sentence that is filled in: counts are numbers, and everything else is text in the reader's format. */
export type Message<V extends Values> = (values: V) => string;

/** Returns what makes sentences of a language from ICU messages, the syntax of the server's own texts. */
export function messages(locale: Locale): <V extends Values>(pattern: string) => Message<V> {
  return (pattern) => {
    let compiled: IntlMessageFormat | null = null;
    let unit: Forms | null = null;
    // Compiled when it is first shown: a page shows few of its sentences.
    return (values) => {
      const current = unitIn(locale);
      if (compiled === null || unit !== current) {
        unit = current;
        compiled = new IntlMessageFormat(unit === null ? pattern : inUnit(pattern, unit, locale), TAGS[locale]);
      }
      return compiled.format(values) as string;
    };
  };
}
