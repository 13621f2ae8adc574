import "./SignIn.css";

import { type FormEvent, useState } from "react";

import type { ListedMember } from "../identity/issuer";
import { readToken } from "../identity/token";
import type { SignInState, TokenSource } from "../identity/tokenSource";
import { useWords } from "../language/words";
import type { Theme } from "../look/theme";
import { Bell } from "../parts/Bell";
import { Button } from "../parts/Button";
import { Field } from "../parts/Field";
import { LanguageSwitch, ThemeSwitch } from "../parts/Switches";
import type { Settings } from "./settings";

interface SignInProps {
  readonly state: SignInState;
  readonly tokens: TokenSource;
  readonly settings: Settings;
  readonly theme: Theme;
}

/** Sign-in without an identity provider: a list of members if there is a development issuer, else a field for a token. */
export function SignIn({ state, tokens, settings, theme }: SignInProps) {
  const words = useWords();
  if (state.kind === "starting") return <div className="sign-in" aria-busy="true" />;
  return (
    <main className="sign-in">
      <div className="sign-in-sheet">
        <Bell className="sign-in-mark" />
        <h1>{words.signIn.title}</h1>
        {state.kind === "unreachable" && <p role="status">{words.signIn.unreachable}</p>}
        {state.kind === "signedOut" && (
          <>
            {state.hasEnded && <p role="alert">{words.signIn.ended}</p>}
            {state.members.length > 0 ? (
              <Members members={state.members} onChoose={(number) => void tokens.choose(number)} />
            ) : (
              <TokenForm tokens={tokens} />
            )}
          </>
        )}
      </div>
      <div className="row">
        <LanguageSwitch onChoose={settings.setLocale} />
        <ThemeSwitch theme={theme} onChoose={settings.setTheme} />
      </div>
    </main>
  );
}

function Members({ members, onChoose }: { members: readonly ListedMember[]; onChoose: (number: string) => void }) {
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
