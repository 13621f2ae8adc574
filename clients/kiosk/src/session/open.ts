import type { Api } from "@carillon/shared/api/api";
import { OpenSessionDocument, type OpenSessionMutation, type SessionFragment } from "@carillon/shared/generated/graphql";
import type { MemberStateFragment } from "@carillon/shared/generated/graphql";

import { sessionKeysOf, type Who } from "../scan/who";

export interface Opened {
  readonly session: SessionFragment;
  readonly token: string;
  readonly member: MemberStateFragment | null;
}

export type Opening =
  | { readonly kind: "opened"; readonly opened: Opened }
  | { readonly kind: "refused"; readonly message: string };

type Payload = OpenSessionMutation["openSession"];

/** Opens a session with the first key that the gateway knows; rejects with OperationFailed if there is no answer. */
export async function openSession(api: Api, who: Who): Promise<Opening> {
  let last: Opening = { kind: "refused", message: "" };
  for (const by of sessionKeysOf(who)) {
    const { openSession: payload } = await api.mutate(OpenSessionDocument, { input: { key: crypto.randomUUID(), by } });
    last = openingOf(payload);
    const isUnknown = payload.userErrors[0]?.code === "NOT_FOUND";
    if (!isUnknown) return last;
  }
  return last;
}

function openingOf({ session, token, userErrors }: Payload): Opening {
  if (session === null || token === null) return { kind: "refused", message: userErrors[0]?.message ?? "" };
  const { member, ...rest } = session;
  return { kind: "opened", opened: { session: rest, token, member } };
}
