/** The gateway's development interface: what is on offer, and tokens. A production gateway answers 404. */

export interface Member {
  readonly number: string;
  readonly name: string;
}

export interface Example {
  readonly title: string;
  readonly role: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null;
}

export interface Offer {
  readonly programme: string;
  readonly roles: readonly string[];
  readonly members: readonly Member[];
  readonly examples: readonly Example[];
}

export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch; null where the token does not say. */
  readonly expiresAt: number | null;
}

/** Null where this gateway has no development issuer. */
export async function fetchOffer(): Promise<Offer | null> {
  const response = await fetch("/dev/session", { headers: { accept: "application/json" } });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(await refusal(response));
  return (await response.json()) as Offer;
}

export async function fetchToken(role: string, member: string | null): Promise<Token> {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ role, member }),
  });
  if (!response.ok) throw new Error(await refusal(response));
  const { token, expiresAt } = (await response.json()) as { token: string; expiresAt: string };
  const expiry = Date.parse(expiresAt);
  return { value: token, expiresAt: Number.isNaN(expiry) ? null : expiry };
}

/** A token pasted by hand; its expiry is read from its payload, which is not verified here: the gateway does that. */
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
    // Not JSON: the status has to do.
  }
  return `The token issuer answered ${`${response.status} ${response.statusText}`.trim()}.`;
}
