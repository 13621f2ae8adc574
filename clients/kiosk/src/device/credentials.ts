import type { Credentials } from "@carillon/shared/api/credentials";

/** One token that nobody can renew: the tablet's, a session's, or none. Refused, it is over. */
export class FixedCredentials implements Credentials {
  #token: string | null;

  constructor(
    token: string | null,
    private readonly onOver: () => void = () => undefined,
  ) {
    this.#token = token;
  }

  present(): string | null {
    return this.#token;
  }

  async bearer(): Promise<string | null> {
    return this.#token;
  }

  async refused(token: string): Promise<void> {
    if (token !== this.#token) return;
    this.#token = null;
    this.onOver();
  }
}
