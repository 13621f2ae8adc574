import type { Api } from "../api/api";
import { OperationFailed } from "../api/failure";
import { type EntryFragment, MeDocument } from "../generated/graphql";
import type { Start } from "./liveMember";

const PAGE = 20;

export interface ActivityPage extends Start {
  readonly entries: readonly EntryFragment[];
  readonly older: string | null;
}

/** A page of one's own activity, and how one stands; the newest page without `after`. */
export async function loadOwn(api: Api, after: string | null = null): Promise<ActivityPage> {
  const { me } = await api.query(MeDocument, { first: PAGE, after });
  if (me === null) throw new OperationFailed({ kind: "forbidden", message: null });
  const { activity, ...member } = me;
  const { hasNextPage, endCursor } = activity.pageInfo;
  return { member, entries: activity.edges.map(({ node }) => node), older: hasNextPage ? endCursor : null };
}
