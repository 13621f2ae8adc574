import type { Api } from "../api/api";
import { type Failure, failureOf, failureOfFaults, OperationFailed } from "../api/failure";
import {
  type EntryFragment,
  MemberChangedDocument,
  type MemberChangedSubscription,
  type MemberStateFragment,
  type NoticeKind,
  type TextDirection,
} from "../generated/graphql";
import { later, merged } from "./merge";
import { backoff, pause } from "./pause";

export type Connection = "connecting" | "live" | "reconnecting" | "offline";

export interface LiveNotice {
  readonly id: string;
  readonly kind: NoticeKind;
  readonly text: string;
  readonly direction: TextDirection;
}

/** The state that a screen renders; each change replaces the whole object. */
export interface LiveState {
  readonly member: MemberStateFragment | null;
  /** Newest first; null until loaded. */
  readonly entries: readonly EntryFragment[] | null;
  /** Cursor of the next older page; null if there is none. */
  readonly older: string | null;
  readonly connection: Connection;
  /** When `member` was last confirmed, in milliseconds since the epoch. */
  readonly asOf: number | null;
  readonly notices: readonly LiveNotice[];
  /** Why the last connection attempt failed; null while live. */
  readonly problem: Failure | null;
}

/** The member and the newest entries, read by a query before subscribing. */
export interface Start {
  readonly member: MemberStateFragment;
  readonly entries?: readonly EntryFragment[];
  readonly older?: string | null;
}

export interface LiveOptions {
  readonly api: Api;
  readonly load: () => Promise<Start>;
  readonly initial?: Partial<Pick<LiveState, "member" | "entries" | "older" | "asOf">>;
}

type Update = MemberChangedSubscription["memberChanged"];

const NOTICES_MAX = 20;
const OFFLINE_AFTER_ATTEMPTS = 3;
const TOKEN_ENDED = 4403;
const NOT_LET_IN = 4401;

/**
 * Follows the token's member across reconnections. Each new subscription passes `after` with the last version shown, so
 * that no update is missed or shown twice, and no version goes back.
 */
export class LiveMember {
  readonly #options: LiveOptions;
  readonly #listeners = new Set<() => void>();
  #state: LiveState;
  #isLoaded = false;
  #running: AbortController | null = null;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#state = {
      member: null,
      entries: null,
      older: null,
      asOf: null,
      connection: "connecting",
      notices: [],
      problem: null,
      ...options.initial,
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): LiveState => this.#state;

  start(): () => void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    void this.#run(running.signal);
    return () => running.abort();
  }

  /** Takes a member's state from another source, such as a mutation's payload. */
  tell(member: MemberStateFragment): void {
    this.#set({ member: later(this.#state.member, member), asOf: Date.now() });
  }

  /** Appends a page of older entries, with the cursor of the next one. */
  addOlder(entries: readonly EntryFragment[], older: string | null): void {
    this.#set({ entries: merged(this.#state.entries ?? [], entries), older });
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        if (!this.#isLoaded) await this.#load(signal);
        await this.#follow(signal, () => {
          attempt = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        const problem = failureOfDrop(error);
        this.#set({ problem });
        if (problem.kind === "unauthenticated") await this.#askForAnotherToken();
      }
      if (signal.aborted) return;
      const isOffline = !navigator.onLine || attempt >= OFFLINE_AFTER_ATTEMPTS;
      this.#set({ connection: isOffline ? "offline" : "reconnecting" });
      await pause(backoff(attempt), signal);
    }
  }

  async #askForAnotherToken(): Promise<void> {
    const { credentials } = this.#options.api.options;
    const token = credentials.present();
    if (token !== null) await credentials.refused(token);
  }

  async #load(signal: AbortSignal): Promise<void> {
    const start = await this.#options.load();
    if (signal.aborted) return;
    this.#isLoaded = true;
    this.#set({
      member: later(this.#state.member, start.member),
      asOf: Date.now(),
      ...(start.entries !== undefined && { entries: start.entries, older: start.older ?? null }),
    });
  }

  /** Runs until the socket closes; rejects with the close event or the operation's errors. */
  async #follow(signal: AbortSignal, isLive: () => void): Promise<void> {
    const { api } = this.#options;
    const after = this.#state.member?.version ?? null;
    const updates = api.follow(MemberChangedDocument, { after });
    const stop = () => void updates.return?.();
    signal.addEventListener("abort", stop);
    const unhook = api.socket.on("connected", () => {
      isLive();
      this.#set({ connection: "live", problem: null });
    });
    try {
      for await (const { data, errors } of updates) {
        if (signal.aborted) return;
        if (errors !== undefined) throw new OperationFailed(failureOfFaults(errors));
        isLive();
        if (data?.memberChanged !== undefined) this.#take(data.memberChanged);
      }
    } finally {
      unhook();
      signal.removeEventListener("abort", stop);
    }
  }

  #take({ member, version, entries, notices, resync }: Update): void {
    const told = notices.map((notice, place) => ({ ...notice, id: `${version}:${place}` }));
    const known = new Set(this.#state.notices.map(({ id }) => id));
    this.#set({
      member: later(this.#state.member, member),
      entries: this.#state.entries === null ? null : merged(this.#state.entries, entries),
      notices: [...this.#state.notices, ...told.filter(({ id }) => !known.has(id))].slice(-NOTICES_MAX),
      connection: "live",
      asOf: Date.now(),
    });
    if (resync) this.#readAgain();
  }

  /** Reloads the entries because the gateway skipped versions; updates that arrive meanwhile are merged. */
  #readAgain(): void {
    const signal = this.#running?.signal;
    if (signal === undefined) return;
    this.#load(signal).catch(() => {
      this.#isLoaded = false; // retried on the next connection
    });
  }

  #set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** graphql-ws rejects with the close event, or with the operation's errors. */
function failureOfDrop(error: unknown): Failure {
  if (Array.isArray(error)) return failureOfFaults(error as { message: string }[]);
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === TOKEN_ENDED || code === NOT_LET_IN) return { kind: "unauthenticated", message: null };
  return failureOf(error);
}
