import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { type AnyVariables, Client, cacheExchange, fetchExchange } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { retryExchange } from "@urql/exchange-retry";
import { type Client as SocketClient, createClient as createSocketClient } from "graphql-ws";

import type { Channel } from "../generated/graphql";
import type { Credentials } from "./credentials";
import { byHash, documentIdOf } from "./documents";
import { failureOf, isRetryable, OperationFailed } from "./failure";
import { timedFetch } from "./serverClock";

const URL = "/graphql";
const ATTEMPTS_MAX = 3;
const KEEP_ALIVE_MS = 5_000;
const PONG_TIMEOUT_MS = 3_000;

export interface ApiOptions {
  readonly credentials: Credentials;
  readonly locale: string;
  readonly channel: Channel;
}

/** The gateway's API for one identity, language and channel. A change of any needs a new `Api`, with empty caches. */
export class Api {
  readonly client: Client;
  readonly socket: SocketClient;
  readonly locale: string;

  constructor(readonly options: ApiOptions) {
    this.locale = options.locale;
    this.client = newClient(options);
    this.socket = newSocketClient(options);
  }

  async query<Data, Variables extends AnyVariables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    return dataOf(await this.client.query(byHash(document), variables, { requestPolicy: "network-only" }).toPromise());
  }

  async mutate<Data, Variables extends AnyVariables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    return dataOf(await this.client.mutation(byHash(document), variables).toPromise());
  }

  /** Subscribes until the socket closes; rejects with the close event, or with the operation's errors. */
  follow<Data extends Record<string, unknown>, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ) {
    const operation = { query: "", documentId: documentIdOf(document), variables };
    return this.socket.iterate<Data>(operation);
  }

  close(): void {
    void this.socket.dispose();
  }
}

function dataOf<Data>({ data, error }: { data?: Data | undefined; error?: unknown }): Data {
  if (error !== undefined) throw new OperationFailed(failureOf(error));
  if (data === undefined) throw new OperationFailed({ kind: "other", message: null });
  return data;
}

function newClient({ credentials, locale, channel }: ApiOptions): Client {
  return new Client({
    url: URL,
    preferGetMethod: false,
    fetch: timedFetch,
    fetchOptions: { headers: { "accept-language": locale, "x-carillon-channel": channel } },
    exchanges: [
      cacheExchange,
      // A mutation's variables carry its idempotency key, so a retry is safe.
      retryExchange({
        initialDelayMs: 300,
        maxDelayMs: 2_000,
        randomDelay: true,
        maxNumberAttempts: ATTEMPTS_MAX,
        retryIf: (error) => navigator.onLine && isRetryable(failureOf(error)),
      }),
      authExchange(async (utils) => ({
        addAuthToOperation(operation) {
          const token = credentials.current();
          return token === null ? operation : utils.appendHeaders(operation, { Authorization: `Bearer ${token}` });
        },
        willAuthError: () => credentials.current() === null,
        didAuthError: (error) => failureOf(error).kind === "unauthenticated",
        async refreshAuth() {
          const token = credentials.current();
          if (token === null) await credentials.bearer().catch(() => null);
          else await credentials.invalidate(token);
        },
      })),
      fetchExchange,
    ],
  });
}

/** No retries here: LiveMember decides when to reconnect, and from which version. */
function newSocketClient({ credentials, locale, channel }: ApiOptions): SocketClient {
  const { protocol, host } = window.location;
  const client = createSocketClient({
    url: `${protocol === "https:" ? "wss" : "ws"}://${host}${URL}`,
    retryAttempts: 0,
    jsonMessageReplacer: withoutText,
    keepAlive: KEEP_ALIVE_MS,
    connectionParams: async () => {
      const token = await credentials.bearer();
      if (token === null) throw new OperationFailed({ kind: "unauthenticated", message: null });
      return { Authorization: `Bearer ${token}`, "Accept-Language": locale, "x-carillon-channel": channel };
    },
    on: { opened: (socket) => detectLoss(socket as WebSocket, () => client.terminate()) },
  });
  return client;
}

/** graphql-ws requires a `query`, even an empty one; an operation that is sent by its hash must have none. */
function withoutText(this: unknown, name: string, value: unknown): unknown {
  return name === "query" && value === "" ? undefined : value;
}

/** A lost network sends no close frame: calls `onLost` when a ping stays unanswered or the device reports `offline`. */
function detectLoss(socket: WebSocket, onLost: () => void): void {
  let lastMessageAt = Date.now();
  socket.addEventListener("message", () => {
    lastMessageAt = Date.now();
  });
  const timer = window.setInterval(() => {
    if (Date.now() - lastMessageAt > KEEP_ALIVE_MS + PONG_TIMEOUT_MS) onLost();
  }, 1_000);
  window.addEventListener("offline", onLost);
  socket.addEventListener("close", () => {
    window.clearInterval(timer);
    window.removeEventListener("offline", onLost);
  });
}
