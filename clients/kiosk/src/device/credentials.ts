import type { Credentials } from "@carillon/shared/api/credentials";

/** A token that cannot be renewed: the tablet's, a session's, or none. Dropped when the gateway rejects it. */
export class FixedCredentials implements Credentials {
  #token: string | null;

  constructor(
    token: string | null,
    private readonly onInvalidated: () => void = () => undefined,
  ) {
    this.#token = token;
  }

  current(): string | null {
    return this.#token;
  }

  async bearer(): Promise<string | null> {
    return this.#token;
  }

  async invalidate(token: string): Promise<void> {
    if (token !== this.#token) return;
    this.#token = null;
    this.onInvalidated();
  }
}
