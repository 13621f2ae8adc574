/** The gateway's development issuer. A gateway in production answers 404, and one on another machine 403. */
import type { Token } from "./token";

export interface ShownMember {
  readonly number: string;
  readonly name: string;
}

export interface Issuer {
  readonly programme: string;
  readonly members: readonly ShownMember[];
}

export class IssuerUnreachable extends Error {}

/** Null where this gateway has no development issuer for us. */
export async function findIssuer(): Promise<Issuer | null> {
  const response = await reach("/dev/session");
  if (response.status === 404 || response.status === 403) return null;
  if (!response.ok) throw new IssuerUnreachable(`${response.status}`);
  return (await response.json()) as Issuer;
}

/** Null where the issuer refuses. */
export async function issue(role: string, member: string | null): Promise<Token | null> {
  const response = await reach("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ role, member }),
  });
  if (response.status >= 500) throw new IssuerUnreachable(`${response.status}`);
  if (!response.ok) return null;
  const { token, expiresAt } = (await response.json()) as { token: string; expiresAt: string };
  return { value: token, expiresAt: Date.parse(expiresAt) };
}

async function reach(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new IssuerUnreachable("offline");
  }
}
