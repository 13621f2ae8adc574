import type { Api } from "@carillon/shared/api/api";
import { OpenSessionDocument, type OpenSessionMutation, type SessionFragment } from "@carillon/shared/generated/graphql";
import type { MemberStateFragment } from "@carillon/shared/generated/graphql";

import { sessionKeysOf, type Identifier } from "../scan/identifier";

export interface OpenedSession {
  readonly session: SessionFragment;
  readonly token: string;
  readonly member: MemberStateFragment | null;
}

export type OpenSessionResult =
  | { readonly kind: "opened"; readonly opened: OpenedSession }
  | { readonly kind: "refused"; readonly message: string };

type Payload = OpenSessionMutation["openSession"];

/** Opens a session with the first key that the gateway knows; rejects with OperationFailed if there is no answer. */
export async function openSession(api: Api, identifier: Identifier): Promise<OpenSessionResult> {
  let last: OpenSessionResult = { kind: "refused", message: "" };
  for (const by of sessionKeysOf(identifier)) {
    const { openSession: payload } = await api.mutate(OpenSessionDocument, { input: { key: crypto.randomUUID(), by } });
    last = resultOf(payload);
    const isUnknown = payload.userErrors[0]?.code === "NOT_FOUND";
    if (!isUnknown) return last;
  }
  return last;
}

function resultOf({ session, token, userErrors }: Payload): OpenSessionResult {
  if (session === null || token === null) return { kind: "refused", message: userErrors[0]?.message ?? "" };
  const { member, ...rest } = session;
  return { kind: "opened", opened: { session: rest, token, member } };
}
