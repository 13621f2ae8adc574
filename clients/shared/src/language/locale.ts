export const LOCALES = ["en", "fr", "ar"] as const;
export type Locale = (typeof LOCALES)[number];

/** How numbers and dates are written. Arabic has Latin digits, as on the server. */
export const TAGS: Readonly<Record<Locale, string>> = { en: "en-GB", fr: "fr-FR", ar: "ar-u-nu-latn" };

export const LOCALE_NAMES: Readonly<Record<Locale, string>> = { en: "English", fr: "Français", ar: "العربية" };

export function localeOf(text: string | null | undefined): Locale | null {
  const language = text?.toLowerCase().split("-")[0];
  return LOCALES.find((locale) => locale === language) ?? null;
}

export function directionOf(locale: Locale): "ltr" | "rtl" {
  return locale === "ar" ? "rtl" : "ltr";
}

/** The first of the browser's languages that we have. */
export function preferredLocale(): Locale {
  for (const language of navigator.languages) {
    const locale = localeOf(language);
    if (locale !== null) return locale;
  }
  return "en";
}
