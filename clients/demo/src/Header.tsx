import type { ListedMember } from "@carillon/shared/identity/issuer";
import { Bell } from "@carillon/shared/parts/Bell";
import { LanguageSwitch, ThemeSwitch } from "@carillon/shared/parts/Switches";
import { type Settings, useSettings } from "@carillon/shared/screen/settings";

import { useDemoWords } from "./words";

interface HeaderProps {
  readonly settings: Settings;
  readonly members: readonly ListedMember[];
  readonly member: string | null;
  readonly onMember: (number: string) => void;
}

export function Header({ settings, members, member, onMember }: HeaderProps) {
  const words = useDemoWords();
  const { theme } = useSettings(settings);
  return (
    <header className="demo-head">
      <div className="demo-name">
        <Bell />
        <div>
          <h1>Carillon</h1>
          <p className="quiet">{words.sentence}</p>
        </div>
      </div>
      <div className="row">
        {member !== null && (
          <label className="demo-member">
            <span className="small quiet">{words.member}</span>
            <select className="input" value={member} onChange={(event) => onMember(event.target.value)}>
              {members.map(({ number, name }) => (
                <option key={number} value={number}>
                  {name} · {number}
                </option>
              ))}
            </select>
          </label>
        )}
        <LanguageSwitch onChoose={settings.setLocale} />
        <ThemeSwitch theme={theme} onChoose={settings.setTheme} />
        <a className="button" data-look="text" href="/playground/">
          {words.playground}
        </a>
      </div>
    </header>
  );
}
