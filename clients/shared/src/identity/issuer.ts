/** Client of the gateway's development issuer. It answers 404 in production, and 403 to another machine. */
import { timedFetch } from "../api/serverClock";
import type { Token } from "./token";

export interface ListedMember {
  readonly number: string;
  readonly name: string;
}

export interface Issuer {
  readonly programme: string;
  readonly members: readonly ListedMember[];
}

export class IssuerUnreachable extends Error {}

/** Null if the gateway has no development issuer for this browser; rejects with IssuerUnreachable. */
export async function findIssuer(): Promise<Issuer | null> {
  const response = await reach("/dev/session");
  if (response.status === 404 || response.status === 403) return null;
  if (!response.ok) throw new IssuerUnreachable(`${response.status}`);
  return (await response.json()) as Issuer;
}

/** Null if the issuer refuses; rejects with IssuerUnreachable on a network failure or a status of 500 or above. */
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
    return await timedFetch(path, init);
  } catch {
    throw new IssuerUnreachable("offline");
  }
}
