import { useWords } from "@carillon/shared/language/words";
import { Bell } from "@carillon/shared/parts/Bell";
import { Button } from "@carillon/shared/parts/Button";
import { LanguageSwitch, ThemeSwitch } from "@carillon/shared/parts/Switches";
import type { MemberSession } from "@carillon/shared/screen/MemberScreen";
import { useSettings } from "@carillon/shared/screen/settings";
import type { Programme } from "@carillon/shared/screen/useProgramme";

import { addressOf, type Route, ROUTES } from "./routes";
import { useSiteWords } from "./words";

interface HeaderProps {
  readonly session: MemberSession;
  readonly route: Route;
  readonly programme: Programme | null;
  readonly onSkip: () => void;
}

export function Header({ session: { settings, tokens }, route, programme, onSkip }: HeaderProps) {
  const words = useWords();
  const siteWords = useSiteWords();
  const { theme } = useSettings(settings);
  return (
    <header className="header">
      <button type="button" className="skip" onClick={onSkip}>
        {words.skip}
      </button>
      <div className="header-top">
        <a className="header-brand" href="#/">
          <Bell />
          <span>{programme?.name ?? "Carillon"}</span>
        </a>
        <div className="row">
          <LanguageSwitch onChoose={settings.setLocale} />
          <ThemeSwitch theme={theme} onChoose={settings.setTheme} />
          <Button look="text" onClick={() => tokens.signOut()}>
            {words.signIn.out}
          </Button>
        </div>
      </div>
      <nav className="header-pages" aria-label={siteWords.navigation}>
        {ROUTES.map((each) => (
          <a key={each} href={addressOf(each)} aria-current={each === route ? "page" : undefined}>
            {siteWords.routes[each]}
          </a>
        ))}
      </nav>
    </header>
  );
}
