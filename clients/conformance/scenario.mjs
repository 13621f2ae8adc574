/**
 * The checks of a live client that all transports share; `ws.mjs` and `sse.mjs` supply the clients.
 *
 * Environment: GATEWAY_URL (such as http://127.0.0.1:8000), MEMBER_TOKEN and TILL_TOKEN (from `carillon token`).
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const TIMEOUT_MS = 15_000;
const QUIET_MS = 300;
const MISSED = 3;

const LIVE = `subscription Live($after: Int) {
  memberChanged(after: $after) { version resync member { number points { available } } entries { version points } }
}`;
const RECORD = `mutation Record($input: RecordEventInput!) {
  recordEvent(input: $input) { replayed member { version points { available } } userErrors { code message } }
}`;
const ME = "{ me { number version points { available } } }";

export const settings = {
  gateway: new URL(required("GATEWAY_URL")),
  member: required("MEMBER_TOKEN"),
  till: required("TILL_TOKEN"),
};

function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set. Required: GATEWAY_URL, MEMBER_TOKEN, TILL_TOKEN.`);
    process.exit(2);
  }
  return value;
}

/** Runs the checks in turn, prints a JSON line for each, and exits with 1 after the first failure. */
export async function run(checks) {
  try {
    for (const [name, check] of Object.entries(checks)) {
      const seen = await within(check(), `the check "${name}"`, 4 * TIMEOUT_MS);
      console.log(JSON.stringify({ check: name, ok: true, seen }));
    }
    console.log(JSON.stringify({ summary: { ok: Object.keys(checks).length } }));
    process.exit(0);
  } catch (error) {
    console.error(`FAILED: ${error?.stack ?? JSON.stringify(error)}`);
    process.exit(1);
  }
}

export async function within(promise, what, milliseconds = TIMEOUT_MS) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

/** The only result of an operation; rejects with the error of the client's sink. */
export async function single(client, payload) {
  const results = [];
  await within(
    new Promise((complete, error) =>
      client.subscribe(payload, { next: (result) => results.push(result), error, complete }),
    ),
    payload.query,
  );
  assert.equal(results.length, 1, `${payload.query}: expected one result, got ${JSON.stringify(results)}`);
  return results[0];
}

function purchase(number) {
  return {
    key: `conformance-${randomUUID()}`,
    type: "purchase",
    member: { number },
    occurredAt: new Date().toISOString(),
    channel: "STORE",
    store: "330",
    purchase: { total: "10.00", currency: "USD", lines: [{ sku: "bread", amount: "10.00", category: "BAKERY" }] },
  };
}

function committed({ data, errors }) {
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.deepEqual(data.recordEvent.userErrors, []);
  return data.recordEvent.member;
}

/** Records a purchase by plain HTTP, as a till does; returns the member after it. */
export async function recordByHttp(number) {
  const response = await fetch(new URL("/graphql", settings.gateway), {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${settings.till}` },
    body: JSON.stringify({ query: RECORD, variables: { input: purchase(number) } }),
  });
  assert.equal(response.status, 200);
  return committed(await response.json());
}

/** A subscription that resumes: clients send `variables` on each reconnection, and it updates `after` in them. */
export class Watch {
  #updates = [];
  #wake = () => {};
  #ended = null;

  constructor(client) {
    const variables = { after: null };
    const sink = {
      next: ({ data, errors }) => {
        if (errors) return sink.error(errors);
        variables.after = data.memberChanged.version;
        this.#updates.push(data.memberChanged);
        this.#wake();
      },
      error: (error) => this.#end(`failed: ${error?.message ?? error?.code ?? JSON.stringify(error)}`),
      complete: () => this.#end("was completed"),
    };
    this.stop = client.subscribe({ query: LIVE, variables }, sink);
  }

  #end(how) {
    this.#ended = how;
    this.#wake();
  }

  async next() {
    const arrived = async () => {
      while (!this.#updates.length && !this.#ended) await new Promise((wake) => (this.#wake = wake));
    };
    await within(arrived(), "the next version");
    if (!this.#updates.length) throw new Error(`the subscription ${this.#ended}`);
    return this.#updates.shift();
  }

  async expect(member, resync = false) {
    const update = await this.next();
    assert.equal(update.version, member.version);
    assert.equal(update.member.points.available, member.points.available);
    assert.equal(update.resync, resync);
    return update.version;
  }

  async expectQuiet() {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    assert.deepEqual(this.#updates, [], "an unexpected update arrived");
    assert.equal(this.#ended, null, `the subscription ${this.#ended}`);
  }

  async expectEnd() {
    const end = async () => {
      while (!this.#ended) await new Promise((wake) => (this.#wake = wake));
    };
    await within(end(), "the end of the subscription");
    assert.deepEqual(this.#updates, [], "an update arrived after the end");
    return this.#ended;
  }
}

/**
 * The checks that all transports share.
 *
 * `connect({ token, beforeReconnect })` returns `{ client, cuts }`: an unmodified client that awaits `beforeReconnect`
 * before it reconnects, and functions that cut its connection. `errorsOf(client, payload)` returns the errors of an
 * invalid operation.
 */
export function sharedChecks(name, { connect, errorsOf }) {
  const open = (options) => connect({ token: settings.member, beforeReconnect: async () => {}, ...options });

  return {
    [`${name}: a query`]: async () => {
      const { client } = open();
      const { data } = await single(client, { query: ME });
      assert.match(data.me.number, /^\d+$/);
      client.dispose();
      return data.me;
    },

    [`${name}: the current state first, then the next version`]: async () => {
      const { client } = open();
      const { data } = await single(client, { query: ME });
      const watch = new Watch(client);
      const first = await watch.expect(data.me);
      const member = await recordByHttp(data.me.number);
      assert.equal(member.version, first + 1);
      const second = await watch.expect(member);
      watch.stop();
      const end = await watch.expectEnd();
      client.dispose();
      return { first, second, end };
    },

    [`${name}: a mutation`]: async () => {
      const { client } = open();
      const { data } = await single(client, { query: ME });
      const watch = new Watch(client);
      await watch.expect(data.me);
      const { client: till } = open({ token: settings.till });
      const payload = { query: RECORD, variables: { input: purchase(data.me.number) } };
      const member = committed(await single(till, payload));
      await watch.expect(member);
      const again = await single(till, payload);
      assert.equal(again.data.recordEvent.replayed, true, "a repeated key must count once");
      await watch.expectQuiet();
      watch.stop();
      client.dispose();
      till.dispose();
      return member;
    },

    [`${name}: an invalid operation does not end the others`]: async () => {
      const { client } = open();
      const { data } = await single(client, { query: ME });
      const watch = new Watch(client);
      await watch.expect(data.me);
      const wrong = {
        syntax: { query: "subscription {" },
        empty: { query: "" },
        field: { query: "subscription { memberChanged { nonsense } }" },
        name: { query: ME, operationName: "Other" },
        variables: { query: LIVE, variables: { after: "yesterday" } },
        negative: { query: LIVE, variables: { after: -1 } },
        forbidden: { query: RECORD, variables: { input: purchase(data.me.number) } },
      };
      const seen = {};
      for (const [what, payload] of Object.entries(wrong)) {
        const errors = await errorsOf(client, payload);
        assert.ok(Array.isArray(errors) && errors.length === 1, `${what}: ${JSON.stringify(errors)}`);
        const code = what === "forbidden" ? "FORBIDDEN" : "BAD_USER_INPUT";
        assert.equal(errors[0].extensions.code, code, JSON.stringify(errors));
        seen[what] = errors[0].message;
      }
      await watch.expect(await recordByHttp(data.me.number));
      watch.stop();
      client.dispose();
      return seen;
    },

    [`${name}: concurrent operations end independently`]: async () => {
      const { client } = open();
      const { data } = await single(client, { query: ME });
      const watches = Array.from({ length: 5 }, () => new Watch(client));
      for (const watch of watches) await watch.expect(data.me);
      watches[0].stop();
      await watches[0].expectEnd();
      const member = await recordByHttp(data.me.number);
      for (const watch of watches.slice(1)) await watch.expect(member);
      for (const watch of watches) watch.stop();
      client.dispose();
      return { watching: watches.length, version: member.version };
    },

    [`${name}: updates missed while disconnected arrive in order, once`]: async () => {
      const seen = {};
      const { data } = await single(open().client, { query: ME });
      for (const way of Object.keys(open().cuts)) {
        const missed = [];
        const { client, cuts } = open({
          beforeReconnect: async () => {
            while (missed.length < MISSED) missed.push(await recordByHttp(data.me.number));
          },
        });
        const watch = new Watch(client);
        const first = await watch.next();
        cuts[way]();
        const versions = [];
        for (let at = 0; at < MISSED; at += 1) {
          const update = await watch.next();
          assert.equal(update.resync, false);
          versions.push(update.version);
        }
        assert.deepEqual(
          versions,
          missed.map((member) => member.version),
        );
        assert.deepEqual(versions, [first.version + 1, first.version + 2, first.version + 3]);
        versions.push(await watch.expect(await recordByHttp(data.me.number)));
        await watch.expectQuiet();
        watch.stop();
        client.dispose();
        seen[way] = { before: first.version, after: versions };
      }
      return seen;
    },
  };
}
