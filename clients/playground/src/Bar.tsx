import { DropdownMenu, pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { type FormEvent, Fragment, useEffect, useId, useRef, useState, useSyncExternalStore } from "react";

import type { Example } from "./issuer";
import type { Session, SessionState } from "./session";
import { WELCOME } from "./welcome";

/** The bar above GraphiQL: the identity, the token's expiry, and example operations. */
export function Bar({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  const { introspect } = useGraphiQLActions();
  const { schema, isIntrospecting } = useGraphiQL(pick("schema", "isIntrospecting"));

  // Fetch the schema again with a new token if it was refused without one.
  useEffect(() => {
    if (state.token !== null && !schema && !isIntrospecting) void introspect();
  }, [state.token]); // only when the token changes

  return (
    <header className="bar">
      <h1 className="bar-brand">
        <Bell />
        Carillon
        {state.devSession && <span className="bar-programme">{state.devSession.programme}</span>}
      </h1>
      {state.mode === "issued" && <Identity session={session} state={state} />}
      {state.mode === "pasted" && <PastedToken session={session} />}
      <Status state={state} />
      {state.devSession && state.devSession.examples.length > 0 && (
        <Examples session={session} examples={state.devSession.examples} />
      )}
    </header>
  );
}

function Identity({ session, state }: { session: Session; state: SessionState }) {
  const roleId = useId();
  const memberId = useId();
  const { devSession, role, member } = state;
  if (devSession === null) return null;
  return (
    <>
      <div className="bar-field">
        <label htmlFor={roleId}>Role</label>
        <select id={roleId} value={role} onChange={(event) => session.choose(event.target.value)}>
          {devSession.roles.map((each) => (
            <option key={each} value={each}>
              {capitalised(each)}
            </option>
          ))}
        </select>
      </div>
      {role === "member" && (
        <div className="bar-field">
          <label htmlFor={memberId}>Member</label>
          <select id={memberId} value={member ?? ""} onChange={(event) => session.choose(role, event.target.value)}>
            {devSession.members.map(({ number, name }) => (
              <option key={number} value={number}>
                {name} · {number}
              </option>
            ))}
          </select>
        </div>
      )}
    </>
  );
}

function PastedToken({ session }: { session: Session }) {
  const id = useId();
  const [text, setText] = useState("");
  const use = (event: FormEvent) => {
    event.preventDefault();
    session.paste(text);
  };
  return (
    <form className="bar-field" onSubmit={use}>
      <label htmlFor={id}>Access token</label>
      <input
        id={id}
        type="password"
        autoComplete="off"
        spellCheck={false}
        placeholder="Paste a token"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit">Use</button>
    </form>
  );
}

function Status({ state }: { state: SessionState }) {
  const { mode, token, problem } = state;
  const expired = useExpired(token?.expiresAt ?? null);
  let kind = "waiting";
  let content = <>{mode === "pasted" ? "No token: requests are anonymous" : "Obtaining a token…"}</>;
  if (problem !== null) {
    kind = "problem";
    content = <>{problem}</>;
  } else if (token !== null && expired) {
    kind = "problem";
    content = <>The token has expired.</>;
  } else if (token !== null && token.expiresAt === null) {
    kind = "good";
    content = <>Token in use</>;
  } else if (token?.expiresAt != null) {
    const until = new Date(token.expiresAt);
    kind = "good";
    content = (
      <>
        Token valid until <time dateTime={until.toISOString()}>{moment(until)}</time>
      </>
    );
  }
  return (
    <p className="bar-status" data-kind={kind} role="status">
      <span>{content}</span>
    </p>
  );
}

function Examples({ session, examples }: { session: Session; examples: readonly Example[] }) {
  const { addTab, stop, updateActiveTabValues } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(pick("queryEditor", "variableEditor"));
  const opened = useRef(false);

  const open = ({ role, query, variables }: Example) => {
    if (!queryEditor || !variableEditor) return;
    if (role !== session.snapshot().role) session.choose(role);
    stop(); // a running subscription would write into the new tab
    if (!isBlank(queryEditor.getValue())) addTab();
    const values = {
      query: query.trim() + "\n",
      variables: variables && Object.keys(variables).length > 0 ? JSON.stringify(variables, null, 2) : "",
    };
    variableEditor.setValue(values.variables);
    queryEditor.setValue(values.query);
    updateActiveTabValues(values);
    opened.current = true;
  };

  /** The menu returns the focus to its button on close; after a choice, moves it to the editor instead. */
  const focusAfterClosing = (event: Event) => {
    if (!opened.current) return;
    opened.current = false;
    event.preventDefault();
    queryEditor?.focus();
  };

  return (
    <DropdownMenu>
      <DropdownMenu.Button type="button" className="bar-menu-button">
        Examples
        <svg viewBox="0 0 10 6" width="10" height="6" aria-hidden="true">
          <path d="m1 1 4 4 4-4" fill="none" stroke="currentColor" strokeWidth="1.5" />
        </svg>
      </DropdownMenu.Button>
      <DropdownMenu.Content align="end" className="bar-menu" onCloseAutoFocus={focusAfterClosing}>
        {examples.map((example, index) => (
          <Fragment key={example.title}>
            {example.story !== examples[index - 1]?.story && (
              <p className="bar-menu-story" role="presentation">
                {capitalised(example.story)}
              </p>
            )}
            <DropdownMenu.Item onSelect={() => open(example)}>
              <span>{example.title}</span>
              <span className="bar-menu-role">{example.role}</span>
            </DropdownMenu.Item>
          </Fragment>
        ))}
      </DropdownMenu.Content>
    </DropdownMenu>
  );
}

function Bell() {
  return (
    <svg className="bar-bell" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M12 2a1.75 1.75 0 0 0-1.75 1.75v.6A6.5 6.5 0 0 0 5.5 10.6v3.15c0 .9-.32 1.76-.9 2.44l-.72.84A1.2 1.2 0 0 0 4.8 19h14.4a1.2 1.2 0 0 0 .92-1.97l-.72-.84a3.75 3.75 0 0 1-.9-2.44V10.6a6.5 6.5 0 0 0-4.75-6.25v-.6A1.75 1.75 0 0 0 12 2Z" />
      <path d="M9.4 20.25a2.65 2.65 0 0 0 5.2 0Z" />
    </svg>
  );
}

/** Whether the time `at` has passed; always false if it is null. */
function useExpired(at: number | null): boolean {
  const [, rerender] = useState(0);
  useEffect(() => {
    if (at === null || at <= Date.now()) return undefined;
    const timer = window.setTimeout(() => rerender((n) => n + 1), Math.min(at - Date.now() + 50, 2 ** 31 - 1));
    return () => window.clearTimeout(timer);
  });
  return at !== null && at <= Date.now();
}

function isBlank(query: string): boolean {
  if (query === WELCOME) return true;
  return query.split("\n").every((line) => line.trim() === "" || line.trim().startsWith("#"));
}

function moment(date: Date): string {
  const day = date.toDateString() === new Date().toDateString() ? {} : ({ day: "numeric", month: "short" } as const);
  return date.toLocaleString("en-GB", { ...day, hour: "2-digit", minute: "2-digit" });
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
