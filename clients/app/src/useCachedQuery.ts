import { useEffect } from "react";

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { type VersionedQuery, useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import type { MemberStateFragment } from "@carillon/shared/generated/graphql";

import { cacheQuery, readCachedQuery } from "./offlineCache";

/** As `useVersionedQuery`, with the cached data until the gateway answers. */
export function useCachedQuery<Data, Variables extends Record<string, unknown>>(
  part: "offers" | "orders",
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { number, version }: MemberStateFragment,
): VersionedQuery<Data> {
  const query = useVersionedQuery(document, variables, version);
  useEffect(() => {
    if (query.data !== undefined) cacheQuery(part, number, query.data);
  }, [part, number, query.data]);
  return { ...query, data: query.data ?? readCachedQuery<Data>(part, number) };
}
