/** Browser storage with a key prefix per client, because the screens share an origin. Never throws. */
export class ClientStorage {
  constructor(
    private readonly client: string,
    private readonly storage: () => Storage,
  ) {}

  read(name: string): string | null {
    try {
      return this.storage().getItem(this.#key(name));
    } catch {
      return null; // storage is disabled: choices last as long as the page
    }
  }

  /** Null removes the entry. */
  write(name: string, value: string | null): void {
    try {
      if (value === null) this.storage().removeItem(this.#key(name));
      else this.storage().setItem(this.#key(name), value);
    } catch {
      // Disabled or full. Only conveniences are stored here, never an event.
    }
  }

  #key(name: string): string {
    return `carillon:${this.client}:${name}`;
  }
}

/** Lasts until the tab is closed. */
export const tabStorage = (client: string) => new ClientStorage(client, () => window.sessionStorage);

/** Lasts on this device. */
export const deviceStorage = (client: string) => new ClientStorage(client, () => window.localStorage);
