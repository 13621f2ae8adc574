export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch; null where the token does not say. */
  readonly expiresAt: number | null;
  /** Whom it stands for, where it says so. */
  readonly subject?: string;
}

const RENEW_BEFORE_MS = 30_000;

/** A token from elsewhere. What it says is read, not verified: the gateway does that. */
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

export function isOver({ expiresAt }: Token, now = Date.now()): boolean {
  return expiresAt !== null && expiresAt - now < 1_000;
}

/** How long to wait before a token is renewed: half a minute before its end, a fifth of a short life. */
export function renewalDelay({ expiresAt }: Token, now = Date.now()): number | null {
  if (expiresAt === null) return null;
  const left = expiresAt - now;
  return Math.max(0, left - Math.min(RENEW_BEFORE_MS, left / 5));
}
