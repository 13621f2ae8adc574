import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { type AnyVariables, useQuery } from "urql";
import { useMemo } from "react";

import { byHash } from "./documents";
import { type Failure, failureOf } from "./failure";

export interface VersionedQuery<Data> {
  readonly data: Data | undefined;
  readonly failure: Failure | null;
  /** True until there is data to show. */
  readonly isLoading: boolean;
  readonly refetch: () => void;
}

/** A query that is refetched with each new `version` of the member; returns the last data meanwhile. */
export function useVersionedQuery<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  version: number | null,
): VersionedQuery<Data> {
  const context = useMemo(() => ({ requestPolicy: "cache-and-network" as const, version }), [version]);
  const [{ data, error, fetching }, refetch] = useQuery<Data, Variables>({
    query: byHash(document),
    variables,
    context,
  } as Parameters<typeof useQuery<Data, Variables>>[0]);
  return {
    data,
    failure: error === undefined ? null : failureOf(error),
    isLoading: fetching && data === undefined,
    refetch: () => refetch(context),
  };
}
