import type { Credentials } from "../api/credentials";
import type { AddressParameters } from "./address";
import { findIssuer, type Issuer, issue, IssuerUnreachable, type ListedMember } from "./issuer";
import { type ClientStorage, tabStorage } from "./storage";
import { isExpired, readToken, renewalDelay, type Token } from "./token";

const RETRY_MS = 2_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Whether somebody is signed in. `unreachable`: the issuer does not answer, so that is unknown. */
export type SignInState =
  | { readonly kind: "starting" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "signedIn"; readonly identity: string; readonly isIssued: boolean }
  | { readonly kind: "signedOut"; readonly members: readonly ListedMember[]; readonly hasEnded: boolean };

/**
 * The tokens of one screen: from the address (set by the brand's identity provider), else from the development issuer,
 * else typed in. Only the issuer's tokens can be renewed, and are renewed before they expire.
 */
export class TokenSource implements Credentials {
  readonly #storage: ClientStorage;
  readonly #listeners = new Set<() => void>();
  #state: SignInState = { kind: "starting" };
  #token: Token | null = null;
  #issuer: Issuer | null = null;
  #member: string | null = null;
  #renewing: Promise<void> | null = null;
  #timer: number | undefined;

  constructor(client: string) {
    this.#storage = tabStorage(client);
    window.addEventListener("online", () => this.#renewIfStale());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#renewIfStale();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): SignInState => this.#state;

  /** Signs in with the parameters of the address; may be called again to switch to another member. */
  async signIn({ token, member }: AddressParameters): Promise<void> {
    const fromAddress = token === undefined ? null : readToken(token);
    if (fromAddress !== null) {
      this.use(fromAddress);
      return;
    }
    if (member === undefined) {
      const stored = readToken(this.#storage.read("token") ?? "");
      if (stored !== null && !isExpired(stored)) {
        this.use(stored);
        return;
      }
    }
    this.#member = member ?? this.#storage.read("member");
    await this.#renew();
  }

  /** Signs in with a token that cannot be renewed. */
  use(token: Token): void {
    this.#member = null;
    this.#storage.write("token", token.value);
    this.#storage.write("member", null);
    this.#accept(token, token.subject ?? token.value, false);
  }

  /** Signs in as one of the members that the development issuer lists. */
  async choose(number: string): Promise<void> {
    this.#storage.write("token", null);
    this.#member = number;
    await this.#renew();
  }

  signOut(): void {
    this.#clear(false);
    if (this.#issuer === null) void this.#renew();
  }

  current(): string | null {
    return this.#token !== null && !isExpired(this.#token) ? this.#token.value : null;
  }

  async bearer(): Promise<string | null> {
    if (this.current() === null) await this.#renew();
    return this.current();
  }

  async invalidate(token: string): Promise<void> {
    if (this.#token?.value !== token) return; // already replaced
    if (this.#member === null) {
      this.#clear(true);
      return;
    }
    await this.#renew();
  }

  /** Looks for the issuer, then fetches the member's token. Never rejects: retries until the network is back. */
  async #obtainToken(): Promise<void> {
    window.clearTimeout(this.#timer);
    try {
      this.#issuer ??= await findIssuer();
      if (this.#issuer === null || this.#member === null) {
        this.#set({ kind: "signedOut", members: this.#issuer?.members ?? [], hasEnded: false });
        return;
      }
      const token = await issue("member", this.#member);
      if (token === null) {
        this.#clear(false);
        return;
      }
      this.#storage.write("member", this.#member);
      this.#accept(token, this.#member, true);
    } catch (error) {
      if (!(error instanceof IssuerUnreachable)) throw error;
      if (this.#token === null || isExpired(this.#token)) this.#set({ kind: "unreachable" });
      this.#timer = window.setTimeout(() => void this.#renew(), RETRY_MS);
    }
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#obtainToken().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  #renewIfStale(): void {
    const isStale = this.#token !== null && this.#member !== null && (renewalDelay(this.#token) ?? 1) <= 0;
    if (isStale || this.#state.kind === "unreachable") void this.#renew();
  }

  #accept(token: Token, identity: string, isIssued: boolean): void {
    this.#token = token;
    window.clearTimeout(this.#timer);
    const delay = isIssued ? renewalDelay(token) : null;
    if (delay !== null) {
      this.#timer = window.setTimeout(() => void this.#renew(), Math.min(Math.max(delay, RETRY_MS), LONGEST_TIMER_MS));
    }
    const { kind } = this.#state;
    if (kind !== "signedIn" || this.#state.identity !== identity) this.#set({ kind: "signedIn", identity, isIssued });
  }

  #clear(hasEnded: boolean): void {
    window.clearTimeout(this.#timer);
    this.#token = null;
    this.#member = null;
    this.#storage.write("token", null);
    this.#storage.write("member", null);
    this.#set({ kind: "signedOut", members: this.#issuer?.members ?? [], hasEnded });
  }

  #set(state: SignInState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
