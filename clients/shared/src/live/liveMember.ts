import type { Api } from "../api/api";
import { type Failure, failureOf, failureOfErrors, OperationFailed } from "../api/failure";
import {
  type EntryFragment,
  MemberChangedDocument,
  type MemberChangedSubscription,
  type MemberStateFragment,
  type NoticeKind,
  type TextDirection,
} from "../generated/graphql";
import { laterState, mergeEntries } from "./merge";
import { backoff, pause } from "./backoff";

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
export interface InitialState {
  readonly member: MemberStateFragment;
  readonly entries?: readonly EntryFragment[];
  readonly older?: string | null;
}

export interface LiveOptions {
  readonly api: Api;
  readonly load: () => Promise<InitialState>;
  readonly initial?: Partial<Pick<LiveState, "member" | "entries" | "older" | "asOf">>;
}

type Update = MemberChangedSubscription["memberChanged"];

const NOTICES_MAX = 20;
const OFFLINE_AFTER_ATTEMPTS = 3;
const CLOSED_FORBIDDEN = 4403;
const CLOSED_UNAUTHORIZED = 4401;

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
  apply(member: MemberStateFragment): void {
    this.#set({ member: laterState(this.#state.member, member), asOf: Date.now() });
  }

  /** Appends a page of older entries, with the cursor of the next one. */
  addOlder(entries: readonly EntryFragment[], older: string | null): void {
    this.#set({ entries: mergeEntries(this.#state.entries ?? [], entries), older });
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
        const problem = failureOfClose(error);
        this.#set({ problem });
        if (problem.kind === "unauthenticated") await this.#replaceToken();
      }
      if (signal.aborted) return;
      const isOffline = !navigator.onLine || attempt >= OFFLINE_AFTER_ATTEMPTS;
      this.#set({ connection: isOffline ? "offline" : "reconnecting" });
      await pause(backoff(attempt), signal);
    }
  }

  async #replaceToken(): Promise<void> {
    const { credentials } = this.#options.api.options;
    const token = credentials.current();
    if (token !== null) await credentials.invalidate(token);
  }

  async #load(signal: AbortSignal): Promise<void> {
    const initial = await this.#options.load();
    if (signal.aborted) return;
    this.#isLoaded = true;
    this.#set({
      member: laterState(this.#state.member, initial.member),
      asOf: Date.now(),
      ...(initial.entries !== undefined && { entries: initial.entries, older: initial.older ?? null }),
    });
  }

  /** Runs until the socket closes; rejects with the close event or the operation's errors. */
  async #follow(signal: AbortSignal, isLive: () => void): Promise<void> {
    const { api } = this.#options;
    const after = this.#state.member?.version ?? null;
    const updates = api.follow(MemberChangedDocument, { after });
    const stop = () => void updates.return?.();
    signal.addEventListener("abort", stop);
    const removeListener = api.socket.on("connected", () => {
      isLive();
      this.#set({ connection: "live", problem: null });
    });
    try {
      for await (const { data, errors } of updates) {
        if (signal.aborted) return;
        if (errors !== undefined) throw new OperationFailed(failureOfErrors(errors));
        isLive();
        if (data?.memberChanged !== undefined) this.#applyUpdate(data.memberChanged);
      }
    } finally {
      removeListener();
      signal.removeEventListener("abort", stop);
    }
  }

  #applyUpdate({ member, version, entries, notices, resync }: Update): void {
    const received = notices.map((notice, index) => ({ ...notice, id: `${version}:${index}` }));
    const known = new Set(this.#state.notices.map(({ id }) => id));
    this.#set({
      member: laterState(this.#state.member, member),
      entries: this.#state.entries === null ? null : mergeEntries(this.#state.entries, entries),
      notices: [...this.#state.notices, ...received.filter(({ id }) => !known.has(id))].slice(-NOTICES_MAX),
      connection: "live",
      asOf: Date.now(),
    });
    if (resync) this.#reload();
  }

  /** Reloads the entries because the gateway skipped versions; updates that arrive meanwhile are merged. */
  #reload(): void {
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
function failureOfClose(error: unknown): Failure {
  if (Array.isArray(error)) return failureOfErrors(error as { message: string }[]);
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === CLOSED_FORBIDDEN || code === CLOSED_UNAUTHORIZED) return { kind: "unauthenticated", message: null };
  return failureOf(error);
}
