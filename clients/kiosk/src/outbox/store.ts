/** Events on their way to the gateway, and those that somebody has to look at: both outlive the page and the power. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";

import type { RecordEventInput } from "@carillon/shared/generated/graphql";

export interface Waiting {
  /** In the order in which they happened at this tablet. */
  readonly place: number;
  readonly input: RecordEventInput;
  readonly queuedAt: number;
  /** The tablet that sent it, once it was sent and no answer came: keys are unique for a sender. */
  readonly sentBy: string | null;
  /** How often the gateway could not commit it, and asked to have it sent again. */
  readonly conflicts: number;
}

/** An event that was refused: a person has to decide. */
export interface Refused {
  readonly key: string;
  readonly input: RecordEventInput;
  readonly refusedAt: number;
  /** The gateway's sentence; null where another tablet may have sent it already. */
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

  /** Resolves once the event is on the disk. */
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

  /** The answer came, and it was a yes. */
  async done({ place }: Waiting): Promise<void> {
    await (await this.#database).delete("waiting", place);
  }

  /** From one list to the other, or neither: never lost between them. */
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

  /** A clerk has seen to it. */
  async settle(key: string): Promise<void> {
    await (await this.#database).delete("refused", key);
  }
}
