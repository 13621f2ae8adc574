/** Checks the unmodified graphql-sse client on /graphql/stream, in both of its modes. Environment: see scenario.mjs. */
import assert from "node:assert/strict";
import { createClient, NetworkError } from "graphql-sse";
import { run, settings, sharedChecks, single } from "./scenario.mjs";

const url = new URL("/graphql/stream", settings.gateway).href;

const connecting =
  (singleConnection) =>
  ({ token, beforeReconnect, ...options }) => {
    const connections = new Set();
    const client = createClient({
      url,
      singleConnection,
      headers: () => ({ authorization: `Bearer ${token}` }),
      retry: beforeReconnect,
      fetchFn: (target, init) => {
        const connection = new AbortController();
        connections.add(connection);
        return fetch(target, { ...init, signal: AbortSignal.any([init.signal, connection.signal]) });
      },
      ...options,
    });
    return { client, cuts: { "lost connection": () => connections.forEach((connection) => connection.abort()) } };
  };

async function errorsOf(client, payload) {
  return (await single(client, payload)).errors;
}

function modeChecks(name, connect) {
  return {
    ...sharedChecks(name, { connect, errorsOf }),

    [`${name}: a bad token is answered with 401`]: async () => {
      const { client } = connect({ token: "not-a-token", beforeReconnect: async () => {}, retryAttempts: 0 });
      const failure = await single(client, { query: "{ me { number } }" }).then(
        () => assert.fail("the bad token was accepted"),
        (error) => error,
      );
      assert.ok(failure instanceof NetworkError, String(failure));
      assert.equal(failure.response.status, 401);
      client.dispose();
      return failure.message;
    },

    [`${name}: a new token is accepted after 401`]: async () => {
      const tokens = ["not-a-token", settings.member];
      const { client } = connect({
        beforeReconnect: async () => {},
        headers: () => ({ authorization: `Bearer ${tokens.shift()}` }),
      });
      const { data } = await single(client, { query: "{ me { number } }" });
      assert.deepEqual(tokens, []);
      client.dispose();
      return data.me;
    },

    [`${name}: a member's subscription requires a token`]: async () => {
      const { client } = connect({ beforeReconnect: async () => {}, headers: () => ({}) });
      const { data } = await single(client, { query: "{ __typename }" });
      const [refused] = await errorsOf(client, { query: "subscription { memberChanged { version } }" });
      assert.equal(refused.extensions.code, "UNAUTHENTICATED");
      client.dispose();
      return { data, refused: refused.message };
    },
  };
}

await run({
  ...modeChecks("graphql-sse, distinct connections", connecting(false)),
  ...modeChecks("graphql-sse, single connection", connecting(true)),
});
