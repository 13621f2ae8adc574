import { useWords } from "@carillon/shared/language/words";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";
import { LanguageSwitch, ThemeSwitch } from "@carillon/shared/parts/Switches";
import type { MemberSession } from "@carillon/shared/screen/MemberScreen";
import { useSettings } from "@carillon/shared/screen/settings";

import { useAppWords } from "./words";

export function SettingsSheet({ session: { settings, tokens }, onClose }: { session: MemberSession; onClose: () => void }) {
  const words = useWords();
  const appWords = useAppWords();
  const { theme } = useSettings(settings);
  return (
    <Dialog title={appWords.settings} onClose={onClose}>
      <div className="stack">
        <div className="row spread">
          <p>{words.language}</p>
          <LanguageSwitch onChoose={settings.setLocale} />
        </div>
        <div className="row spread">
          <p>{words.theme}</p>
          <ThemeSwitch theme={theme} onChoose={settings.setTheme} />
        </div>
        <Button look="plain" onClick={() => tokens.signOut()}>
          {words.signIn.out}
        </Button>
      </div>
    </Dialog>
  );
}
