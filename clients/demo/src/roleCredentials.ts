import type { Credentials } from "@carillon/shared/api/credentials";
import { issue } from "@carillon/shared/identity/issuer";
import { isOver, type Token } from "@carillon/shared/identity/token";

/** A development token for a role other than member, such as the till. */
export class RoleCredentials implements Credentials {
  #token: Token | null = null;

  constructor(private readonly role: string) {}

  present(): string | null {
    return this.#token !== null && !isOver(this.#token) ? this.#token.value : null;
  }

  async bearer(): Promise<string | null> {
    if (this.present() === null) this.#token = await issue(this.role, null);
    return this.present();
  }

  async refused(token: string): Promise<void> {
    if (this.#token?.value === token) this.#token = null;
    await this.bearer();
  }
}
