import { Button } from "@carillon/shared/parts/Button";
import { LanguageSwitch } from "@carillon/shared/parts/Switches";
import type { Settings } from "@carillon/shared/screen/settings";

import { useKioskWords } from "../words";

interface SessionHeadProps {
  readonly greeting: string;
  readonly secondsLeft: number | null;
  readonly settings: Settings;
  readonly onLeave: () => void;
}

export function SessionHead({ greeting, secondsLeft, settings, onLeave }: SessionHeadProps) {
  const words = useKioskWords();
  return (
    <header className="kiosk-head">
      <h1 data-greeting={greeting}>{words.session.hello({ name: greeting })}</h1>
      <div className="row">
        {secondsLeft !== null && (
          <p className="idle" role="timer" data-idle={secondsLeft}>
            <span className="tabular">{words.session.idle({ seconds: secondsLeft })}</span>
            <Button look="plain">{words.session.stay}</Button>
          </p>
        )}
        <LanguageSwitch onChoose={settings.setLocale} />
        <Button look="plain" onClick={onLeave}>
          {words.session.leave}
        </Button>
      </div>
    </header>
  );
}
