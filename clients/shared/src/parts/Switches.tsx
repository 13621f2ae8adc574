import { LOCALES, LOCALE_NAMES, type Locale } from "../language/locale";
import { useLocale } from "../language/Language";
import { useWords } from "../language/words";
import { THEMES, type Theme } from "../look/theme";

const MARKS_OF: Readonly<Record<Locale, string>> = { en: "EN", fr: "FR", ar: "ع" };

export function LanguageSwitch({ onChoose }: { onChoose: (locale: Locale) => void }) {
  const words = useWords();
  const current = useLocale();
  return (
    <div className="choice" role="group" aria-label={words.language}>
      {LOCALES.map((locale) => (
        <button
          key={locale}
          type="button"
          lang={locale}
          aria-label={`${MARKS_OF[locale]} ${LOCALE_NAMES[locale]}`}
          aria-pressed={locale === current}
          onClick={() => onChoose(locale)}
        >
          {MARKS_OF[locale]}
        </button>
      ))}
    </div>
  );
}

const MARKS: Readonly<Record<Theme, string>> = {
  system: "M2 3h12v8H2zM6 14h4M8 11v3",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z",
};

export function ThemeSwitch({ theme, onChoose }: { theme: Theme; onChoose: (theme: Theme) => void }) {
  const words = useWords();
  return (
    <div className="choice" role="group" aria-label={words.theme}>
      {THEMES.map((each) => (
        <button
          key={each}
          type="button"
          aria-label={words.themes[each]}
          title={words.themes[each]}
          aria-pressed={each === theme}
          onClick={() => onChoose(each)}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
            <path d={MARKS[each]} strokeLinecap="round" strokeLinejoin="round" />
          </svg>
        </button>
      ))}
    </div>
  );
}
