import { knownServerNow } from "../api/serverClock";

export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch by the server's clock; null if the token has no `exp`. */
  readonly expiresAt: number | null;
  /** The `sub` claim, if any. */
  readonly subject?: string;
}

const RENEW_BEFORE_MS = 30_000;

/** Parses a token without verifying it, which is the gateway's job; null if the text is empty. */
export function readToken(text: string): Token | null {
  const value = text.trim().replace(/^bearer\s+/i, "");
  if (value === "") return null;
  try {
    const payload = (value.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims: unknown = JSON.parse(atob(payload));
    const { exp, sub } = (typeof claims === "object" && claims !== null ? claims : {}) as { exp?: unknown; sub?: unknown };
    const expiresAt = typeof exp === "number" ? exp * 1000 : null;
    return { value, expiresAt, ...(typeof sub === "string" && { subject: sub }) };
  } catch {
    return { value, expiresAt: null };
  }
}

/** By the server's clock. Before the server's first answer (`now` null) no token is expired: the server judges it. */
export function isExpired({ expiresAt }: Token, now = knownServerNow()): boolean {
  return expiresAt !== null && now !== null && expiresAt - now < 1_000;
}

/** Milliseconds until the renewal: 30 s before expiry, or a fifth of the remaining time if less. Null if unknown. */
export function renewalDelay({ expiresAt }: Token, now = knownServerNow()): number | null {
  if (expiresAt === null || now === null) return null;
  const left = expiresAt - now;
  return Math.max(0, left - Math.min(RENEW_BEFORE_MS, left / 5));
}
