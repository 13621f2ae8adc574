import { type FormEvent, useState } from "react";

import { useFresh } from "@carillon/shared/api/useFresh";
import { ContentDocument } from "@carillon/shared/generated/graphql";
import { Bell } from "@carillon/shared/parts/Bell";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";
import { Field } from "@carillon/shared/parts/Field";
import { LanguageSwitch, ThemeSwitch } from "@carillon/shared/parts/Switches";
import { type Settings, useSettings } from "@carillon/shared/screen/settings";

import { Camera } from "./scan/Camera";
import type { Who } from "./scan/who";
import { useKioskWords } from "./words";

interface AttractProps {
  readonly settings: Settings;
  readonly name: string;
  readonly isOpening: boolean;
  readonly message: string | null;
  readonly onWho: (who: Who) => void;
  readonly onScan: (text: string) => void;
  readonly onJoin: () => void;
}

/** The screen between sessions: an invitation, and the ways to identify oneself. */
export function Attract({ settings, name, isOpening, message, onWho, onScan, onJoin }: AttractProps) {
  const words = useKioskWords();
  const { theme } = useSettings(settings);
  const [way, setWay] = useState<"type" | "camera" | null>(null);
  const { data } = useFresh(ContentDocument, { key: "home" }, null);
  const content = data?.content ?? null;
  const known = (use: () => void) => {
    setWay(null);
    use();
  };
  return (
    <>
      <header className="kiosk-head">
        <p className="kiosk-brand">
          <Bell />
          {name}
        </p>
        <div className="row">
          <LanguageSwitch onChoose={settings.speak} />
          <ThemeSwitch theme={theme} onChoose={settings.wear} />
        </div>
      </header>
      <main className="attract" aria-busy={isOpening}>
        <div className="attract-bell" aria-hidden="true">
          <span />
          <span />
          <span />
          <Bell />
        </div>
        <div className="attract-words">
          <h1>{words.attract.lead}</h1>
          {content !== null && (
            <p className="attract-content" dir={content.direction.toLowerCase()}>
              <strong>{content.title}.</strong> {content.body}
            </p>
          )}
        </div>
        <p className="attract-message" role="status">
          {isOpening ? words.attract.opening : ""}
        </p>
        {message !== null && (
          <p className="fault" role="alert">
            {message}
          </p>
        )}
        <div className="attract-ways">
          <Button look="plain" onClick={() => setWay("camera")}>
            {words.attract.camera}
          </Button>
          <Button look="plain" onClick={() => setWay("type")}>
            {words.attract.type}
          </Button>
          <Button onClick={onJoin}>{words.attract.join}</Button>
        </div>
      </main>
      {way === "camera" && (
        <Dialog title={words.attract.scan} onClose={() => setWay(null)}>
          <Camera onScan={(text) => known(() => onScan(text))} />
        </Dialog>
      )}
      {way === "type" && (
        <Dialog title={words.attract.whichWay} onClose={() => setWay(null)}>
          <TypeForm onWho={(who) => known(() => onWho(who))} />
        </Dialog>
      )}
    </>
  );
}

const WAYS = ["number", "phone", "email"] as const;
const KEYBOARDS = { number: "numeric", phone: "tel", email: "email" } as const;

function TypeForm({ onWho }: { onWho: (who: Who) => void }) {
  const words = useKioskWords();
  const [kind, setKind] = useState<(typeof WAYS)[number]>("number");
  const [text, setText] = useState("");
  const begin = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") onWho({ kind, text: text.trim() });
  };
  return (
    <form className="stack" onSubmit={begin} noValidate>
      <div className="choice" role="group" aria-label={words.attract.whichWay}>
        {WAYS.map((each) => (
          <button key={each} type="button" aria-pressed={each === kind} onClick={() => setKind(each)}>
            {words.attract.ways[each]}
          </button>
        ))}
      </div>
      <Field
        label={words.attract.ways[kind]}
        type={kind === "email" ? "email" : "text"}
        inputMode={KEYBOARDS[kind]}
        autoComplete="off"
        dir="ltr"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit">{words.attract.begin}</Button>
    </form>
  );
}
