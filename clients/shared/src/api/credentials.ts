/** Supplies the token of requests. */
export interface Credentials {
  /** The current token, renewed first if it has expired; null if there is none. Rejects if none can be obtained now. */
  bearer(): Promise<string | null>;
  /** The current token, or null if there is none or it has expired. */
  current(): string | null;
  /** Reports that the gateway rejected this token. Resolves once it is replaced or dropped. */
  invalidate(token: string): Promise<void>;
}
