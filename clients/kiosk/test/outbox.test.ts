import "fake-indexeddb/auto";

import { beforeEach, expect, test, vi } from "vitest";

import { OperationFailed } from "@carillon/shared/api/failure";
import type { MemberKey, RecordEventInput, UserErrorCode } from "@carillon/shared/generated/graphql";

import { type EventAnswer, type Locks, Outbox, type Send } from "../src/outbox/outbox";
import { OutboxStore } from "../src/outbox/store";

let name = "";
let store: OutboxStore;
let outbox: Outbox;

/** A stand-in for Web Locks, which are not available in Node. */
class OneAtATime implements Locks {
  #last: Promise<void> = Promise.resolve();

  request(_name: string, work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    return this.#last;
  }
}

beforeEach(() => {
  name = crypto.randomUUID();
  store = new OutboxStore(name);
  outbox = new Outbox(store, new OneAtATime());
});

const event = (key: string, member: MemberKey = { number: "1" }): RecordEventInput => ({
  key,
  type: "visit",
  member,
  occurredAt: "2026-01-01T10:00:00Z",
  channel: "KIOSK",
});

const ACCEPTED = { userErrors: [], waiting: false, why: [], entries: [], orders: [], member: null, replayed: false } as unknown as EventAnswer;
const refusedWith = (code: UserErrorCode, message: string): EventAnswer => ({
  ...ACCEPTED,
  userErrors: [{ code, message, path: [] }],
});

/** A gateway that answers each event with `answer`, and records the keys of each batch. */
function gateway(answer: (input: RecordEventInput) => EventAnswer = () => ACCEPTED) {
  const sent: string[][] = [];
  const send: Send = async (input) => {
    sent.push(input.map(({ key }) => key));
    return input.map(answer);
  };
  return { sent, send };
}

const failing = (kind: "offline" | "unavailable" | "unauthenticated" | "other"): Send => async () => {
  throw new OperationFailed({ kind, message: "failed" });
};

const waitingToBe = (count: number) => vi.waitFor(() => expect(outbox.snapshot().waiting).toBe(count), { timeout: 4_000 });

test("events wait for a sender, are sent in order, and are deleted once accepted", async () => {
  await outbox.add(event("a"));
  await outbox.add(event("b"));
  expect(outbox.snapshot().waiting).toBe(2);
  const { sent, send } = gateway();
  outbox.sendAs({ device: "d", send });
  await waitingToBe(0);
  expect(sent).toEqual([["a", "b"]]);
});

test("a network failure leaves events queued, and they are retried with the same keys", async () => {
  outbox.sendAs({ device: "d", send: failing("unavailable") });
  await outbox.add(event("a"));
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(await store.count()).toBe(1);
  const { sent, send } = gateway();
  outbox.sendAs({ device: "d", send });
  await waitingToBe(0);
  expect(sent).toEqual([["a"]]);
});

test("a refused event goes to the clerk with its message, and the others are accepted", async () => {
  const { send } = gateway(({ key }) => (key === "bad" ? refusedWith("INVALID", "Say what was bought.") : ACCEPTED));
  await outbox.add(event("bad"));
  await outbox.add(event("good"));
  outbox.sendAs({ device: "d", send });
  await waitingToBe(0);
  expect(outbox.snapshot().refused.map(({ key, message }) => [key, message])).toEqual([["bad", "Say what was bought."]]);
  await outbox.dismiss("bad");
  expect(outbox.snapshot().refused).toEqual([]);
});

test("a conflict is retried", async () => {
  let refusals = 2;
  const { sent, send } = gateway(({ key }) =>
    key === "soon" && refusals-- > 0 ? refusedWith("CONFLICT", "Send it again.") : ACCEPTED,
  );
  await outbox.add(event("soon"));
  await outbox.add(event("at once"));
  outbox.sendAs({ device: "d", send });
  await waitingToBe(0);
  expect(outbox.snapshot().refused).toEqual([]);
  expect(sent).toEqual([["soon", "at once"], ["soon"], ["soon"]]);
});

test("an unknown card is retried as a membership number", async () => {
  const { sent, send } = gateway(({ member }) => (member.card != null ? refusedWith("NOT_FOUND", "No such member.") : ACCEPTED));
  await outbox.add(event("a", { card: "5408716941" }));
  outbox.sendAs({ device: "d", send });
  await waitingToBe(0);
  expect(sent).toEqual([["a"], ["a"]]);
  expect(outbox.snapshot().refused).toEqual([]);
});

test("an event that makes its batch fail does not block the others", async () => {
  const { sent, send } = gateway();
  await outbox.add(event("a"));
  await outbox.add(event("bad"));
  await outbox.add(event("c"));
  outbox.sendAs({
    device: "d",
    send: async (input) => (input.some(({ key }) => key === "bad") ? failing("other")(input) : send(input)),
  });
  await waitingToBe(0);
  expect(sent).toEqual([["a"], ["c"]]);
  expect(outbox.snapshot().refused.map(({ key }) => key)).toEqual(["bad"]);
});

test("a tablet whose enrolment was revoked does not lose its events", async () => {
  await outbox.add(event("a"));
  outbox.sendAs({ device: "d", send: failing("unauthenticated") });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await store.count()).toBe(1);
});

test("an event that may have been sent under an earlier enrolment goes to the clerk, not to the gateway", async () => {
  outbox.sendAs({ device: "old", send: failing("offline") });
  await outbox.add(event("sent"));
  await vi.waitFor(async () => expect((await store.first(1))[0]?.sentBy).toBe("old"));
  outbox.sendAs(null);
  await outbox.add(event("fresh"));
  const { sent, send } = gateway();
  outbox.sendAs({ device: "new", send });
  await waitingToBe(0);
  expect(sent).toEqual([["fresh"]]);
  expect(outbox.snapshot().refused.map(({ key, message }) => [key, message])).toEqual([["sent", null]]);
});

test("two pages of one tablet do not send the same event", async () => {
  const locks = new OneAtATime();
  const one = new Outbox(store, locks);
  const other = new Outbox(new OutboxStore(name), locks);
  for (const key of ["a", "b", "c"]) await outbox.add(event(key));
  const { sent, send } = gateway();
  one.sendAs({ device: "d", send });
  other.sendAs({ device: "d", send });
  await vi.waitFor(async () => expect(await store.count()).toBe(0));
  expect(sent.flat()).toEqual(["a", "b", "c"]);
});

test("listeners are called with accepted events", async () => {
  const accepted: string[] = [];
  outbox.onAccepted(({ key }) => accepted.push(key));
  outbox.sendAs({ device: "d", send: gateway().send });
  await outbox.add(event("a"));
  await waitingToBe(0);
  expect(accepted).toEqual(["a"]);
});
