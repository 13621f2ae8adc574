import { useEffect } from "react";

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { type Fresh, useFresh } from "@carillon/shared/api/useFresh";
import type { MemberStateFragment } from "@carillon/shared/generated/graphql";

import { keepAnswer, readAnswer } from "./kept";

/** As `useFresh`, with the cached data until the gateway answers. */
export function useKeptFresh<Data, Variables extends Record<string, unknown>>(
  part: "offers" | "orders",
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  { number, version }: MemberStateFragment,
): Fresh<Data> {
  const fresh = useFresh(document, variables, version);
  useEffect(() => {
    if (fresh.data !== undefined) keepAnswer(part, number, fresh.data);
  }, [part, number, fresh.data]);
  return { ...fresh, data: fresh.data ?? readAnswer<Data>(part, number) };
}
