/** Storage of one client, under its name: the screens may share an origin, as they do on the demo page. */
export class Shelf {
  constructor(
    private readonly client: string,
    private readonly storage: () => Storage,
  ) {}

  read(name: string): string | null {
    try {
      return this.storage().getItem(this.#key(name));
    } catch {
      return null; // a browser that keeps nothing: what is chosen is for this page only
    }
  }

  /** Null takes it away. */
  write(name: string, value: string | null): void {
    try {
      if (value === null) this.storage().removeItem(this.#key(name));
      else this.storage().setItem(this.#key(name), value);
    } catch {
      // As above; and a full storage loses a convenience, never an event.
    }
  }

  #key(name: string): string {
    return `carillon:${this.client}:${name}`;
  }
}

/** Kept until this tab is closed. */
export const tabShelf = (client: string) => new Shelf(client, () => window.sessionStorage);

/** Kept on this machine. */
export const machineShelf = (client: string) => new Shelf(client, () => window.localStorage);
