import "./SignIn.css";

import { type FormEvent, useState } from "react";

import type { ShownMember } from "../identity/issuer";
import { readToken } from "../identity/token";
import type { Standing, TokenSource } from "../identity/tokenSource";
import { useWords } from "../language/words";
import type { Theme } from "../look/theme";
import { Bell } from "../parts/Bell";
import { Button } from "../parts/Button";
import { Field } from "../parts/Field";
import { LanguageSwitch, ThemeSwitch } from "../parts/Switches";
import type { Settings } from "./settings";

interface SignInProps {
  readonly standing: Standing;
  readonly tokens: TokenSource;
  readonly settings: Settings;
  readonly theme: Theme;
}

/** Sign-in without an identity provider: a list of members if there is a development issuer, else a field for a token. */
export function SignIn({ standing, tokens, settings, theme }: SignInProps) {
  const words = useWords();
  if (standing.kind === "starting") return <div className="sign-in" aria-busy="true" />;
  return (
    <main className="sign-in">
      <div className="sign-in-sheet">
        <Bell className="sign-in-mark" />
        <h1>{words.signIn.title}</h1>
        {standing.kind === "unreachable" && <p role="status">{words.signIn.unreachable}</p>}
        {standing.kind === "signedOut" && (
          <>
            {standing.ended && <p role="alert">{words.signIn.ended}</p>}
            {standing.members.length > 0 ? (
              <Members members={standing.members} onChoose={(number) => void tokens.choose(number)} />
            ) : (
              <TokenForm tokens={tokens} />
            )}
          </>
        )}
      </div>
      <div className="row">
        <LanguageSwitch onChoose={settings.speak} />
        <ThemeSwitch theme={theme} onChoose={settings.wear} />
      </div>
    </main>
  );
}

function Members({ members, onChoose }: { members: readonly ShownMember[]; onChoose: (number: string) => void }) {
  const words = useWords();
  return (
    <>
      <p className="quiet">{words.signIn.issued}</p>
      <ul className="sign-in-members">
        {members.map(({ number, name }) => (
          <li key={number}>
            <button type="button" onClick={() => onChoose(number)}>
              <bdi>{name}</bdi>
              <bdi className="tabular quiet small">{number}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function TokenForm({ tokens }: { tokens: TokenSource }) {
  const words = useWords();
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string>();
  const use = (event: FormEvent) => {
    event.preventDefault();
    const token = readToken(text);
    if (token === null) setFault(words.signIn.invalid);
    else tokens.use(token);
  };
  return (
    <form className="stack" onSubmit={use} noValidate>
      <p className="quiet">{words.signIn.token}</p>
      <Field
        label={words.signIn.field}
        type="password"
        autoComplete="off"
        spellCheck={false}
        value={text}
        fault={fault}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit">{words.signIn.use}</Button>
    </form>
  );
}
