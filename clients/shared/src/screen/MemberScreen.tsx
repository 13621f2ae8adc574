import { type ReactNode, useEffect, useMemo, useSyncExternalStore } from "react";
import { Provider } from "urql";

import { Api } from "../api/api";
import type { Channel } from "../generated/graphql";
import { followAddress } from "../identity/address";
import { TokenSource } from "../identity/tokenSource";
import { LanguageProvider } from "../language/Language";
import { applyStoredBrand } from "../look/brand";
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
export interface ScreenSetup {
  readonly settings: Settings;
  readonly tokens: TokenSource;
}

interface MemberScreenProps {
  readonly setup: ScreenSetup;
  readonly channel: Channel;
  /** Whether a cached state can be shown before sign-in completes. */
  readonly hasCachedState?: () => boolean;
  readonly onSignedOut?: () => void;
  readonly children: (session: MemberSession) => ReactNode;
}

/** Provides a member's screen with language, theme, identity and API; shows the sign-in form if there is no identity. */
export function MemberScreen({ setup, channel, hasCachedState, onSignedOut, children }: MemberScreenProps) {
  const { settings, tokens } = setup;
  const { locale, theme } = useSettings(settings);
  const signIn = useSyncExternalStore(tokens.subscribe, tokens.snapshot);
  const identity = signIn.kind === "signedIn" ? signIn.identity : null;
  const api = useMemo(() => new Api({ credentials: tokens, locale, channel }), [tokens, identity, locale, channel]);
  useEffect(() => () => api.close(), [api]);
  useEffect(() => {
    if (signIn.kind === "signedOut") onSignedOut?.();
  }, [signIn.kind]);
  const isUnknown = signIn.kind === "unreachable" || signIn.kind === "starting";
  const isOpen = identity !== null || (isUnknown && hasCachedState?.() === true);
  return (
    <LanguageProvider locale={locale}>
      {isOpen ? (
        // The key discards the components' state when another member signs in.
        <Provider key={identity} value={api.client}>
          {children({ identity, api, tokens, settings })}
        </Provider>
      ) : (
        <SignIn state={signIn} tokens={tokens} settings={settings} theme={theme} />
      )}
    </LanguageProvider>
  );
}

/** Starts signing in with the address's parameters, and applies later ones. */
export function setUpMemberScreen(client: string): ScreenSetup {
  const settings = new Settings(client);
  const tokens = new TokenSource(client);
  applyStoredBrand(settings.storage);
  let isStarted = false;
  followAddress((parameters) => {
    settings.apply(parameters);
    if (isStarted && parameters.token === undefined && parameters.member === undefined) return;
    isStarted = true;
    void tokens.signIn(parameters);
  });
  if (!isStarted) void tokens.signIn({});
  return { settings, tokens };
}
