import type { Api } from "../api/api";
import { OperationFailed } from "../api/failure";
import { type EntryFragment, MeDocument } from "../generated/graphql";
import type { InitialState } from "./liveMember";

const PAGE = 20;

export interface ActivityPage extends InitialState {
  readonly entries: readonly EntryFragment[];
  readonly older: string | null;
}

/** The signed-in member's state and a page of activity, the newest without `after`. Rejects if the token has no member. */
export async function loadOwnMember(api: Api, after: string | null = null): Promise<ActivityPage> {
  const { me } = await api.query(MeDocument, { first: PAGE, after });
  if (me === null) throw new OperationFailed({ kind: "forbidden", message: null });
  const { activity, ...member } = me;
  const { hasNextPage, endCursor } = activity.pageInfo;
  return { member, entries: activity.edges.map(({ node }) => node), older: hasNextPage ? endCursor : null };
}
