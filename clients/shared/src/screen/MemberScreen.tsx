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
  /** Identifies the signed-in member, as a key of cached data; null while unknown. */
  readonly identity: string | null;
  readonly api: Api;
  readonly tokens: TokenSource;
  readonly settings: Settings;
}

/** Created once a page, before the first render. */
export interface Opened {
  readonly settings: Settings;
  readonly tokens: TokenSource;
}

interface MemberScreenProps {
  readonly opened: Opened;
  readonly channel: Channel;
  /** Whether a cached state can be shown before sign-in completes. */
  readonly hasKept?: () => boolean;
  readonly onSignedOut?: () => void;
  readonly children: (session: MemberSession) => ReactNode;
}

/** Provides a member's screen with language, theme, identity and API; shows the sign-in form if there is no identity. */
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
        // The key discards the components' state when another member signs in.
        <Provider key={identity} value={api.client}>
          {children({ identity, api, tokens, settings })}
        </Provider>
      ) : (
        <SignIn standing={standing} tokens={tokens} settings={settings} theme={theme} />
      )}
    </LanguageProvider>
  );
}

/** Starts signing in with the address's parameters, and applies later ones. */
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
