import { type FormEvent, useState } from "react";

import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import { ContentDocument } from "@carillon/shared/generated/graphql";
import { Bell } from "@carillon/shared/parts/Bell";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";
import { Field } from "@carillon/shared/parts/Field";
import { LanguageSwitch, ThemeSwitch } from "@carillon/shared/parts/Switches";
import { type Settings, useSettings } from "@carillon/shared/screen/settings";

import { Camera } from "./scan/Camera";
import type { Identifier } from "./scan/identifier";
import { useKioskWords } from "./words";

interface AttractProps {
  readonly settings: Settings;
  readonly name: string;
  readonly isOpening: boolean;
  readonly message: string | null;
  readonly onIdentify: (identifier: Identifier) => void;
  readonly onScan: (text: string) => void;
  readonly onJoin: () => void;
}

/** The screen between sessions: an invitation, and the ways to identify oneself. */
export function Attract({ settings, name, isOpening, message, onIdentify, onScan, onJoin }: AttractProps) {
  const words = useKioskWords();
  const { theme } = useSettings(settings);
  const [method, setMethod] = useState<"type" | "camera" | null>(null);
  const { data } = useVersionedQuery(ContentDocument, { key: "home" }, null);
  const content = data?.content ?? null;
  const identified = (use: () => void) => {
    setMethod(null);
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
          <LanguageSwitch onChoose={settings.setLocale} />
          <ThemeSwitch theme={theme} onChoose={settings.setTheme} />
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
          <Button look="plain" onClick={() => setMethod("camera")}>
            {words.attract.camera}
          </Button>
          <Button look="plain" onClick={() => setMethod("type")}>
            {words.attract.type}
          </Button>
          <Button onClick={onJoin}>{words.attract.join}</Button>
        </div>
      </main>
      {method === "camera" && (
        <Dialog title={words.attract.scan} onClose={() => setMethod(null)}>
          <Camera onScan={(text) => identified(() => onScan(text))} />
        </Dialog>
      )}
      {method === "type" && (
        <Dialog title={words.attract.whichWay} onClose={() => setMethod(null)}>
          <TypeForm onIdentify={(identifier) => identified(() => onIdentify(identifier))} />
        </Dialog>
      )}
    </>
  );
}

const WAYS = ["number", "phone", "email"] as const;
const KEYBOARDS = { number: "numeric", phone: "tel", email: "email" } as const;

function TypeForm({ onIdentify }: { onIdentify: (identifier: Identifier) => void }) {
  const words = useKioskWords();
  const [kind, setKind] = useState<(typeof WAYS)[number]>("number");
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") onIdentify({ kind, text: text.trim() });
  };
  return (
    <form className="stack" onSubmit={submit} noValidate>
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
