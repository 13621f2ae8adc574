/** The short code from the address, until it is used. */
export class ShortCode {
  readonly #listeners = new Set<() => void>();
  #code: string | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): string | null => this.#code;

  set(code: string | null): void {
    this.#code = code;
    for (const listener of this.#listeners) listener();
  }
}
