/** IndexedDB store of events to send, and of refused ones that a clerk must handle. It survives reloads and restarts. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";

import type { RecordEventInput } from "@carillon/shared/generated/graphql";

export interface Waiting {
  /** Ascending in the order in which events happened at this tablet. */
  readonly place: number;
  readonly input: RecordEventInput;
  readonly queuedAt: number;
  /** The id of the device that last sent it, or null: keys are unique per sender. */
  readonly sentBy: string | null;
  /** How often the gateway answered CONFLICT. */
  readonly conflicts: number;
}

/** An event that the gateway refused and a clerk must handle. */
export interface Refused {
  readonly key: string;
  readonly input: RecordEventInput;
  readonly refusedAt: number;
  /** The gateway's message; null if the event may have been sent under an earlier enrolment. */
  readonly message: string | null;
}

interface Schema extends DBSchema {
  waiting: { key: number; value: Omit<Waiting, "place"> & { place?: number } };
  refused: { key: string; value: Refused };
}

export class OutboxStore {
  readonly #database: Promise<IDBPDatabase<Schema>>;

  constructor(name = "carillon-kiosk") {
    this.#database = openDB<Schema>(name, 1, {
      upgrade(database) {
        database.createObjectStore("waiting", { keyPath: "place", autoIncrement: true });
        database.createObjectStore("refused", { keyPath: "key" });
      },
    });
  }

  /** Resolves once the event is on disk. */
  async add(input: RecordEventInput): Promise<void> {
    await (await this.#database).add("waiting", { input, queuedAt: Date.now(), sentBy: null, conflicts: 0 });
  }

  async first(count: number): Promise<readonly Waiting[]> {
    return (await (await this.#database).getAll("waiting", null, count)) as Waiting[];
  }

  async count(): Promise<number> {
    return (await this.#database).count("waiting");
  }

  async put(waiting: readonly Waiting[]): Promise<void> {
    const transaction = (await this.#database).transaction("waiting", "readwrite");
    await Promise.all([...waiting.map((each) => transaction.store.put(each)), transaction.done]);
  }

  /** Deletes an accepted event. */
  async remove({ place }: Waiting): Promise<void> {
    await (await this.#database).delete("waiting", place);
  }

  /** Moves an event to the refused ones, in one transaction. */
  async refuse({ place, input }: Waiting, message: string | null): Promise<void> {
    const transaction = (await this.#database).transaction(["waiting", "refused"], "readwrite");
    await Promise.all([
      transaction.objectStore("refused").put({ key: input.key, input, refusedAt: Date.now(), message }),
      transaction.objectStore("waiting").delete(place),
      transaction.done,
    ]);
  }

  async refused(): Promise<readonly Refused[]> {
    return (await this.#database).getAll("refused");
  }

  /** Deletes a refused event that the clerk has handled. */
  async dismiss(key: string): Promise<void> {
    await (await this.#database).delete("refused", key);
  }
}
