import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit";
import { type OperationDefinitionNode, Kind, parse } from "graphql";
import { type Client, createClient } from "graphql-ws";

import { type DevSession, type Token, fetchDevSession, fetchToken, readToken } from "./issuer";

const HTTP_URL = "/graphql";
const REFRESH_BEFORE_MS = 30_000;
const RETRY_AFTER_MS = 5_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const STORED_CHOICE = "carillon:identity";

/** What the bar shows; replaced as a whole on every change. */
export interface SessionState {
  /** `issued`: tokens come from the development issuer. `pasted`: there is none, and the user pastes a token. */
  readonly mode: "starting" | "issued" | "pasted";
  readonly devSession: DevSession | null;
  readonly role: string;
  readonly member: string | null;
  readonly token: Token | null;
  readonly problem: string | null;
}

/**
 * The chosen identity, its token, and the fetcher that sends requests with it.
 * Requests wait for a pending token, so that one sent right after a change of role carries the new role's token.
 */
export class Session {
  #state: SessionState = { mode: "starting", devSession: null, role: "", member: null, token: null, problem: null };
  readonly #listeners = new Set<() => void>();
  #pending: Promise<void>;
  #request = 0;
  #timer: number | undefined;
  #fetch: Fetcher;

  constructor() {
    this.#fetch = this.#newFetcher();
    this.#pending = this.#start();
    document.addEventListener("visibilitychange", () => {
      // Timers do not run while the machine sleeps: check the token when the page is visible again.
      if (document.visibilityState === "visible" && this.#isStale()) this.#renew();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): SessionState => this.#state;

  /** Switches to another role or member. */
  choose(role: string, member: string | null = this.#state.member): void {
    if (this.#state.mode !== "issued") return;
    this.#set({ role, member, token: null, problem: null });
    remember(role, member);
    this.#fetch = this.#newFetcher();
    this.#renew();
  }

  /** Uses a pasted token; an empty text removes the current one. */
  paste(text: string): void {
    this.#fetch = this.#newFetcher();
    this.#set({ token: readToken(text), problem: null });
  }

  /** Runs an operation as the current identity: subscriptions over the socket, others over HTTP. */
  readonly fetcher: Fetcher = (params, options) => {
    // GraphiQL parses with a delay: the text may be newer than the operation name and document that it passes.
    try {
      const documentAST = parse(params.query);
      const operations = documentAST.definitions.filter(
        (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
      );
      const exists = operations.some(({ name }) => name !== undefined && name.value === params.operationName);
      const sole = operations.length === 1 ? operations[0]?.name?.value : undefined;
      const operationName = (exists ? params.operationName : sole) ?? null;
      return this.#fetch({ ...params, operationName }, { ...options, documentAST });
    } catch {
      return this.#fetch(params, options); // does not parse: the gateway reports the syntax error
    }
  };

  async #start(): Promise<void> {
    let devSession: DevSession | null = null;
    try {
      devSession = await fetchDevSession();
    } catch (error) {
      this.#set({ mode: "pasted", problem: sentence(error) });
      return;
    }
    if (devSession === null) {
      this.#set({ mode: "pasted" });
      return;
    }
    const stored = recall();
    const role = devSession.roles.find((each) => each === stored.role) ?? devSession.roles[0] ?? "";
    const member = devSession.members.find(({ number }) => number === stored.member) ?? devSession.members[0];
    this.#set({ mode: "issued", devSession, role, member: member?.number ?? null });
    await this.#obtain();
  }

  #renew(): void {
    this.#pending = this.#obtain();
  }

  /** Fetches the current identity's token. Never rejects: a failure becomes the state's `problem`. */
  async #obtain(): Promise<void> {
    if (this.#state.mode !== "issued") return;
    const request = ++this.#request;
    window.clearTimeout(this.#timer);
    const { role, member } = this.#state;
    let next: number | undefined;
    try {
      const token = await fetchToken(role, role === "member" ? member : null);
      if (request !== this.#request) return;
      this.#set({ token, problem: null });
      if (token.expiresAt !== null) next = Math.max(token.expiresAt - margin(token) - Date.now(), RETRY_AFTER_MS);
    } catch (error) {
      if (request !== this.#request) return;
      this.#set({ problem: sentence(error) });
      // Retry on a timer only while the old token may still be valid; without one, the next request retries.
      if (this.#state.token !== null) next = RETRY_AFTER_MS;
    }
    if (next !== undefined) this.#timer = window.setTimeout(() => this.#renew(), Math.min(next, LONGEST_TIMER_MS));
  }

  #isStale(): boolean {
    const { mode, token } = this.#state;
    if (mode !== "issued") return false;
    return token === null || (token.expiresAt !== null && token.expiresAt - Date.now() < 1_000);
  }

  /** The value of the Authorization header; null if no token was pasted. Throws if the issuer gave none. */
  async #authorization(): Promise<string | null> {
    let awaited;
    do {
      awaited = this.#pending;
      await awaited;
    } while (awaited !== this.#pending); // the identity changed while waiting
    if (this.#isStale()) {
      this.#renew();
      await this.#pending;
    }
    const { mode, token, problem } = this.#state;
    if (mode === "issued" && (token === null || this.#isStale())) throw failure(problem ?? "No token was issued.");
    return token === null ? null : `Bearer ${token.value}`;
  }

  /** One fetcher, and so one socket, per identity: a socket authenticates once, when it opens. */
  #newFetcher(): Fetcher {
    return createGraphiQLFetcher({
      url: HTTP_URL,
      fetch: (input, init) => this.#fetchOverHttp(input, init),
      enableIncrementalDelivery: false,
      wsClient: this.#newSocketClient(),
    });
  }

  #newSocketClient(): Client {
    const { protocol, host } = window.location;
    return createClient({
      url: `${protocol === "https:" ? "wss" : "ws"}://${host}${HTTP_URL}`,
      connectionParams: async () => {
        const authorization = await this.#authorization();
        return authorization === null ? {} : { Authorization: authorization };
      },
    });
  }

  async #fetchOverHttp(input: RequestInfo | URL, init: RequestInit | undefined): Promise<Response> {
    const headers = new Headers(init?.headers);
    if (!headers.has("authorization")) {
      const authorization = await this.#authorization();
      if (authorization !== null) headers.set("authorization", authorization);
    }
    const response = await fetch(input, { ...init, headers });
    if (!(response.headers.get("content-type") ?? "").includes("json")) {
      throw failure(`The gateway answered ${`${response.status} ${response.statusText}`.trim()}, not JSON.`);
    }
    return response;
  }

  #set(change: Partial<SessionState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Milliseconds before expiry at which to renew: 30 s, or a fifth of the remaining time if that is less. */
function margin({ expiresAt }: Token): number {
  return expiresAt === null ? 0 : Math.min(REFRESH_BEFORE_MS, (expiresAt - Date.now()) / 5);
}

function sentence(error: unknown): string {
  if (error instanceof TypeError) return "The gateway does not answer.";
  return error instanceof Error ? error.message : String(error);
}

/** An error without a stack, which GraphiQL would show. */
function failure(message: string): Error {
  const error = new Error(message);
  delete error.stack;
  return error;
}

/** Stores the choice, never the token, across reloads; per browser tab. */
function remember(role: string, member: string | null): void {
  try {
    sessionStorage.setItem(STORED_CHOICE, JSON.stringify({ role, member }));
  } catch {
    // No storage: the choice lasts as long as the page.
  }
}

function recall(): { role?: unknown; member?: unknown } {
  try {
    return (JSON.parse(sessionStorage.getItem(STORED_CHOICE) ?? "{}") ?? {}) as { role?: unknown; member?: unknown };
  } catch {
    return {};
  }
}
