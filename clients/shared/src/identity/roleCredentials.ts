import type { Credentials } from "../api/credentials";
import { issue } from "./issuer";
import { isExpired, type Token } from "./token";

/** A development token for a role other than member, such as the till. */
export class RoleCredentials implements Credentials {
  #token: Token | null = null;

  constructor(private readonly role: string) {}

  current(): string | null {
    return this.#token !== null && !isExpired(this.#token) ? this.#token.value : null;
  }

  async bearer(): Promise<string | null> {
    if (this.current() === null) this.#token = await issue(this.role, null);
    return this.current();
  }

  async invalidate(token: string): Promise<void> {
    if (this.#token?.value === token) this.#token = null;
    await this.bearer();
  }
}
