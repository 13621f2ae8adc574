import type { Credentials } from "../api/credentials";
import type { Brought } from "./address";
import { findIssuer, type Issuer, issue, IssuerUnreachable, type ShownMember } from "./issuer";
import { type Shelf, tabShelf } from "./storage";
import { isOver, readToken, renewalDelay, type Token } from "./token";

const RETRY_MS = 2_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Whether somebody is signed in. `unreachable`: the issuer does not answer, so that is unknown. */
export type Standing =
  | { readonly kind: "starting" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "signedIn"; readonly identity: string; readonly isIssued: boolean }
  | { readonly kind: "signedOut"; readonly members: readonly ShownMember[]; readonly ended: boolean };

/**
 * The tokens of one screen: from the address (set by the brand's identity provider), else from the development issuer,
 * else typed in. Only the issuer's tokens can be renewed, and are renewed before they expire.
 */
export class TokenSource implements Credentials {
  readonly #shelf: Shelf;
  readonly #listeners = new Set<() => void>();
  #standing: Standing = { kind: "starting" };
  #token: Token | null = null;
  #issuer: Issuer | null = null;
  #member: string | null = null;
  #renewing: Promise<void> | null = null;
  #timer: number | undefined;

  constructor(client: string) {
    this.#shelf = tabShelf(client);
    window.addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Standing => this.#standing;

  /** Signs in with the parameters of the address; may be called again to switch to another member. */
  async start({ token, member }: Brought): Promise<void> {
    const brought = token === undefined ? null : readToken(token);
    if (brought !== null) {
      this.use(brought);
      return;
    }
    if (member === undefined) {
      const kept = readToken(this.#shelf.read("token") ?? "");
      if (kept !== null && !isOver(kept)) {
        this.use(kept);
        return;
      }
    }
    this.#member = member ?? this.#shelf.read("member");
    await this.#renew();
  }

  /** Signs in with a token that cannot be renewed. */
  use(token: Token): void {
    this.#member = null;
    this.#shelf.write("token", token.value);
    this.#shelf.write("member", null);
    this.#accept(token, token.subject ?? token.value, false);
  }

  /** Signs in as one of the members that the development issuer lists. */
  async choose(number: string): Promise<void> {
    this.#shelf.write("token", null);
    this.#member = number;
    await this.#renew();
  }

  signOut(): void {
    this.#forget(false);
    if (this.#issuer === null) void this.#renew();
  }

  present(): string | null {
    return this.#token !== null && !isOver(this.#token) ? this.#token.value : null;
  }

  async bearer(): Promise<string | null> {
    if (this.present() === null) await this.#renew();
    return this.present();
  }

  async refused(token: string): Promise<void> {
    if (this.#token?.value !== token) return; // already replaced
    if (this.#member === null) {
      this.#forget(true);
      return;
    }
    await this.#renew();
  }

  /** Looks for the issuer, then fetches the member's token. Never rejects: retries until the network is back. */
  async #ask(): Promise<void> {
    window.clearTimeout(this.#timer);
    try {
      this.#issuer ??= await findIssuer();
      if (this.#issuer === null || this.#member === null) {
        this.#set({ kind: "signedOut", members: this.#issuer?.members ?? [], ended: false });
        return;
      }
      const token = await issue("member", this.#member);
      if (token === null) {
        this.#forget(false);
        return;
      }
      this.#shelf.write("member", this.#member);
      this.#accept(token, this.#member, true);
    } catch (error) {
      if (!(error instanceof IssuerUnreachable)) throw error;
      if (this.#token === null || isOver(this.#token)) this.#set({ kind: "unreachable" });
      this.#timer = window.setTimeout(() => void this.#renew(), RETRY_MS);
    }
  }

  #renew(): Promise<void> {
    this.#renewing ??= this.#ask().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  #wake(): void {
    const isStale = this.#token !== null && this.#member !== null && (renewalDelay(this.#token) ?? 1) <= 0;
    if (isStale || this.#standing.kind === "unreachable") void this.#renew();
  }

  #accept(token: Token, identity: string, isIssued: boolean): void {
    this.#token = token;
    window.clearTimeout(this.#timer);
    const delay = isIssued ? renewalDelay(token) : null;
    if (delay !== null) {
      this.#timer = window.setTimeout(() => void this.#renew(), Math.min(Math.max(delay, RETRY_MS), LONGEST_TIMER_MS));
    }
    const { kind } = this.#standing;
    if (kind !== "signedIn" || this.#standing.identity !== identity) this.#set({ kind: "signedIn", identity, isIssued });
  }

  #forget(ended: boolean): void {
    window.clearTimeout(this.#timer);
    this.#token = null;
    this.#member = null;
    this.#shelf.write("token", null);
    this.#shelf.write("member", null);
    this.#set({ kind: "signedOut", members: this.#issuer?.members ?? [], ended });
  }

  #set(standing: Standing): void {
    this.#standing = standing;
    for (const listener of this.#listeners) listener();
  }
}
