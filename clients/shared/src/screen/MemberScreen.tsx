import { type ReactNode, useEffect, useMemo, useSyncExternalStore } from "react";
import { Provider } from "urql";

import { Api } from "../api/api";
import type { Channel } from "../generated/graphql";
import { followAddress } from "../identity/address";
import { TokenSource } from "../identity/tokenSource";
import { LanguageProvider } from "../language/Language";
import { wearKeptBrand } from "../look/brand";
import { Settings, useSettings } from "./settings";
import { SignIn } from "./SignIn";

export interface MemberSession {
  /** Who is signed in, as a name for what is kept of them; null while that is not known. */
  readonly identity: string | null;
  readonly api: Api;
  readonly tokens: TokenSource;
  readonly settings: Settings;
}

/** What a page makes once, before anything is drawn. */
export interface Opened {
  readonly settings: Settings;
  readonly tokens: TokenSource;
}

interface MemberScreenProps {
  readonly opened: Opened;
  readonly channel: Channel;
  /** Whether there is something to show of the last visit before anybody is known to be signed in. */
  readonly hasKept?: () => boolean;
  readonly onSignedOut?: () => void;
  readonly children: (session: MemberSession) => ReactNode;
}

/** A screen of one member: language, appearance, who it is, and the gateway as that member. */
export function MemberScreen({ opened, channel, hasKept, onSignedOut, children }: MemberScreenProps) {
  const { settings, tokens } = opened;
  const { locale, theme } = useSettings(settings);
  const standing = useSyncExternalStore(tokens.subscribe, tokens.snapshot);
  const identity = standing.kind === "signedIn" ? standing.identity : null;
  const api = useMemo(() => new Api({ credentials: tokens, locale, channel }), [tokens, identity, locale, channel]);
  useEffect(() => () => api.close(), [api]);
  useEffect(() => {
    if (standing.kind === "signedOut") onSignedOut?.();
  }, [standing.kind]);
  const isAway = standing.kind === "unreachable" || standing.kind === "starting";
  const isOpen = identity !== null || (isAway && hasKept?.() === true);
  return (
    <LanguageProvider locale={locale}>
      {isOpen ? (
        // Somebody else begins with nothing of the one before.
        <Provider key={identity} value={api.client}>
          {children({ identity, api, tokens, settings })}
        </Provider>
      ) : (
        <SignIn standing={standing} tokens={tokens} settings={settings} theme={theme} />
      )}
    </LanguageProvider>
  );
}

/** Begins with what the address brings, and follows it. */
export function openMemberScreen(client: string): Opened {
  const settings = new Settings(client);
  const tokens = new TokenSource(client);
  wearKeptBrand(settings.shelf);
  let isStarted = false;
  followAddress((brought) => {
    settings.take(brought);
    if (isStarted && brought.token === undefined && brought.member === undefined) return;
    isStarted = true;
    void tokens.start(brought);
  });
  if (!isStarted) void tokens.start({});
  return { settings, tokens };
}
