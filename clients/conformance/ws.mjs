/** Checks the unmodified graphql-ws client on /graphql. Environment: see scenario.mjs. */
import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { run, settings, sharedChecks, single, within } from "./scenario.mjs";

const url = new URL("/graphql", settings.gateway);
url.protocol = url.protocol.replace("http", "ws");

function connect({ token, beforeReconnect, ...options }) {
  let socket;
  const client = createClient({
    url: url.href,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryWait: beforeReconnect,
    on: { opened: (opened) => (socket = opened) },
    ...options,
  });
  return { client, cuts: { "client.terminate()": () => client.terminate(), "lost connection": () => socket.terminate() } };
}

/** Errors before execution arrive as an error message; errors during execution are in the result. */
async function errorsOf(client, payload) {
  try {
    return (await single(client, payload)).errors;
  } catch (error) {
    if (Array.isArray(error)) return error;
    throw error;
  }
}

async function closeOf(options) {
  const { client } = connect({ beforeReconnect: async () => {}, retryAttempts: 0, ...options });
  const closed = await single(client, { query: "{ me { number } }" }).then(
    () => assert.fail("the bad token was accepted"),
    (event) => event,
  );
  assert.equal(typeof closed.code, "number", String(closed));
  return { code: closed.code, reason: closed.reason };
}

await run({
  ...sharedChecks("graphql-ws", { connect, errorsOf }),

  "graphql-ws: a bad token closes with 4403": async () => {
    const seen = await closeOf({ token: "not-a-token" });
    assert.equal(seen.code, 4403);
    assert.match(seen.reason, /^Forbidden/);
    return seen;
  },

  // graphql-ws retries after 4403, so a client with a new token reconnects.
  "graphql-ws: a new token is accepted after 4403": async () => {
    const tokens = ["not-a-token", settings.member];
    const closes = [];
    const { client } = connect({
      beforeReconnect: async () => {},
      connectionParams: () => ({ Authorization: `Bearer ${tokens.shift()}` }),
    });
    client.on("closed", ({ code }) => closes.push(code));
    const { data } = await single(client, { query: "{ me { number } }" });
    assert.deepEqual(closes.slice(0, 1), [4403]);
    assert.deepEqual(tokens, []);
    client.dispose();
    return { closes, me: data.me };
  },

  "graphql-ws: a member's subscription requires a token": async () => {
    const { client } = connect({ beforeReconnect: async () => {}, connectionParams: undefined });
    const { data } = await single(client, { query: "{ __typename }" });
    const [refused] = await errorsOf(client, { query: "subscription { memberChanged { version } }" });
    assert.equal(refused.extensions.code, "UNAUTHENTICATED");
    client.dispose();
    return { data, refused: refused.message };
  },

  "graphql-ws: pings are answered": async () => {
    const { client } = connect({ token: settings.member, beforeReconnect: async () => {}, lazy: false, keepAlive: 50 });
    const pong = new Promise((resolve) => client.on("pong", (received) => received && resolve()));
    await within(pong, "the pong");
    client.dispose();
    return "pong";
  },
});
