/** Client of the gateway's development interface: identities, examples and tokens. A production gateway answers 404. */

export interface Member {
  readonly number: string;
  readonly name: string;
}

export interface Example {
  /** The story that the example belongs to; examples of one story follow each other. */
  readonly story: string;
  readonly title: string;
  readonly role: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null;
}

export interface DevSession {
  readonly programme: string;
  readonly roles: readonly string[];
  readonly members: readonly Member[];
  readonly examples: readonly Example[];
}

export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch, of an issued token by this device's clock; null if unknown. */
  readonly expiresAt: number | null;
}

/** Null if the gateway has no development issuer; rejects with its error message on another failure. */
export async function fetchDevSession(): Promise<DevSession | null> {
  const response = await fetch("/dev/session", { headers: { accept: "application/json" } });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(await refusal(response));
  return (await response.json()) as DevSession;
}

export async function fetchToken(role: string, member: string | null): Promise<Token> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ role, member }),
  });
  if (!response.ok) throw new Error(await refusal(response));
  const { token, expiresAt } = (await response.json()) as { token: string; expiresAt: string };
  // The device's clock may be wrong by hours: the token's remaining time is by the gateway's.
  const left = Date.parse(expiresAt) - Date.parse(response.headers.get("date") ?? "");
  return { value: token, expiresAt: Number.isNaN(left) ? null : Date.now() + left };
}

/** Parses a pasted token without verifying it, which is the gateway's job; null if the text is empty. */
export function readToken(pasted: string): Token | null {
  const value = pasted.trim().replace(/^bearer\s+/i, "");
  if (value === "") return null;
  try {
    const payload = (value.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return { value, expiresAt: typeof exp === "number" ? exp * 1000 : null };
  } catch {
    return { value, expiresAt: null };
  }
}

async function refusal(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: unknown };
    if (typeof error === "string" && error !== "") return error;
  } catch {
    // Not JSON: report the status instead.
  }
  return `The token issuer answered ${`${response.status} ${response.statusText}`.trim()}.`;
}
