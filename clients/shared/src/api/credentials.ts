/** Where requests take their token from. */
export interface Credentials {
  /** The present token, renewed where its end is near; rejects where none is to be had now. */
  bearer(): Promise<string | null>;
  /** The present token, if there is one at hand. */
  present(): string | null;
  /** The gateway no longer takes this token. Resolves once there is another one, or none. */
  refused(token: string): Promise<void>;
}
