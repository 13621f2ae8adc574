import type { MemberKey, RecordEventInput, RecordEventsMutation } from "@carillon/shared/generated/graphql";
import { type Failure, failureOf } from "@carillon/shared/api/failure";
import { backoff } from "@carillon/shared/live/backoff";

import type { OutboxStore, Refused, Waiting } from "./store";

export type EventAnswer = RecordEventsMutation["recordEvents"][number];

/** Sends events in order and resolves with one answer for each; rejects with OperationFailed if there is no answer. */
export type Send = (input: readonly RecordEventInput[]) => Promise<readonly EventAnswer[]>;

/** The tablet that sends events. Keys are unique per sender. */
export interface Sender {
  readonly device: string;
  readonly send: Send;
}

export interface OutboxState {
  readonly waiting: number;
  readonly refused: readonly Refused[];
}

/** The part of the Web Locks API that is used: runs one `work` at a time per name, across all pages of the tablet. */
export interface Locks {
  request(name: string, work: () => Promise<void>): Promise<void>;
}

export type AcceptedListener = (input: RecordEventInput, answer: EventAnswer) => void;

const BATCH_MAX = 100;
const CONFLICTS_MAX = 5;
const LOCK = "carillon:kiosk:outbox";
const CHANNEL = "carillon:kiosk:outbox";

/**
 * Stores each event on the tablet, then sends it to the gateway: in order, from one page at a time, until it is answered.
 * A retry has the same key, so an event counts once.
 */
export class Outbox {
  readonly #listeners = new Set<() => void>();
  readonly #acceptedListeners = new Set<AcceptedListener>();
  readonly #channel = new BroadcastChannel(CHANNEL);
  #state: OutboxState = { waiting: 0, refused: [] };
  #sender: Sender | null = null;
  #isSending = false;
  #needsAnotherFlush = false;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: OutboxStore,
    private readonly locks: Locks,
  ) {
    this.#channel.addEventListener("message", () => void this.#refresh());
    void this.#refresh();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): OutboxState => this.#state;

  /** Calls `listener` with each accepted event and its answer. */
  onAccepted(listener: AcceptedListener): () => void {
    this.#acceptedListeners.add(listener);
    return () => this.#acceptedListeners.delete(listener);
  }

  /** Sets the sender of all further events; null pauses sending. */
  sendAs(sender: Sender | null): void {
    this.#sender = sender;
    this.flush();
  }

  /** Resolves once the event is on disk; it is sent in the background. */
  async add(input: RecordEventInput): Promise<void> {
    await this.store.add(input);
    await this.#refresh();
    this.#channel.postMessage(null);
    this.flush();
  }

  async dismiss(key: string): Promise<void> {
    await this.store.dismiss(key);
    await this.#refresh();
    this.#channel.postMessage(null);
  }

  /** Sends the queued events now instead of after the backoff, as when the network is back. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.#isSending) {
      this.#needsAnotherFlush = true;
      return;
    }
    this.#isSending = true;
    void this.locks.request(LOCK, () => this.#sendAll()).finally(() => {
      this.#isSending = false;
      if (!this.#needsAnotherFlush) return;
      this.#needsAnotherFlush = false;
      this.flush();
    });
  }

  async #sendAll(): Promise<void> {
    let batchMax = BATCH_MAX;
    for (let sender = this.#sender; sender !== null; sender = this.#sender) {
      const batch = await this.#nextBatch(sender.device, batchMax);
      if (batch.length === 0) return;
      try {
        const answers = await sender.send(batch.map(({ input }) => input));
        if (answers.length < batch.length) return this.#retryLater(); // an incomplete answer counts as none
        let isDone = true;
        for (const [index, waiting] of batch.entries()) isDone = (await this.#handleAnswer(waiting, answers[index])) && isDone;
        if (!isDone) {
          await this.#refresh();
          return this.#retryLater();
        }
        this.#attempt = 0;
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === "unauthenticated") return; // the tablet must be enrolled again first
        const isBatchRejected = failure.kind === "other" || failure.kind === "forbidden";
        if (!isBatchRejected) return this.#retryLater();
        // The gateway rejected the whole batch for one event: send one at a time to find it.
        if (batch.length === 1) await this.#refuse(batch[0], failure);
        else batchMax = 1;
      }
      await this.#refresh();
      this.#channel.postMessage(null);
    }
  }

  /** The next events for this sender. Those that another sender may have sent already go to the clerk's list. */
  async #nextBatch(device: string, batchMax: number): Promise<readonly Waiting[]> {
    const batch = await this.store.first(batchMax);
    const foreign = batch.filter(({ sentBy }) => sentBy !== null && sentBy !== device);
    for (const waiting of foreign) await this.store.refuse(waiting, null);
    if (foreign.length > 0) return this.#nextBatch(device, batchMax);
    const stamped = batch.map((waiting) => ({ ...waiting, sentBy: device }));
    await this.store.put(stamped);
    return stamped;
  }

  /** Handles an event's answer; false if the event must be retried after the backoff. */
  async #handleAnswer(waiting: Waiting, answer: EventAnswer | undefined): Promise<boolean> {
    if (answer === undefined) return false; // no answer
    const [refusal] = answer.userErrors;
    if (refusal === undefined) {
      await this.store.remove(waiting);
      for (const listener of this.#acceptedListeners) listener(waiting.input, answer);
      return true;
    }
    if (refusal.code === "CONFLICT" && waiting.conflicts < CONFLICTS_MAX) {
      // The commit failed, or its outcome is unknown. A retry has the same key and counts once.
      await this.store.put([{ ...waiting, conflicts: waiting.conflicts + 1 }]);
      return false;
    }
    const number = refusal.code === "NOT_FOUND" ? asNumber(waiting.input.member) : null;
    if (number !== null) await this.store.put([{ ...waiting, input: { ...waiting.input, member: number } }]);
    else await this.store.refuse(waiting, refusal.message);
    return true;
  }

  async #refuse(waiting: Waiting | undefined, { message, kind }: Failure): Promise<void> {
    if (waiting !== undefined) await this.store.refuse(waiting, message ?? kind);
  }

  #retryLater(): void {
    this.#timer = setTimeout(() => this.flush(), backoff(this.#attempt));
    this.#attempt += 1;
  }

  async #refresh(): Promise<void> {
    const [waiting, refused] = await Promise.all([this.store.count(), this.store.refused()]);
    this.#state = { waiting, refused };
    for (const listener of this.#listeners) listener();
  }
}

/** The membership number that a scan without a network may have been, instead of a card; null if it cannot be one. */
function asNumber({ card }: MemberKey): MemberKey | null {
  return card != null && /^\d{6,}$/.test(card) ? { number: card } : null;
}
