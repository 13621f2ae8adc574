import type { TypedDocumentNode } from "@graphql-typed-document-node/core";

/** What code generation leaves of an operation: its hash and its types. The text is in the gateway's manifest. */
interface Registered {
  readonly __meta__: { readonly hash: string };
}

interface Persisted {
  readonly kind: "Document";
  readonly definitions: readonly [];
  readonly documentId: string;
}

const cache = new WeakMap<object, Persisted>();

/** The id of a registered operation: `sha256:` and the hex digest of its text. */
export function documentIdOf(document: object): string {
  return (document as Registered).__meta__.hash;
}

/** The document in the form that urql sends as an id without a text; the same object for each call. */
export function byHash<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
): TypedDocumentNode<Data, Variables> {
  let persisted = cache.get(document);
  if (persisted === undefined) {
    persisted = { kind: "Document", definitions: [], documentId: documentIdOf(document) };
    cache.set(document, persisted);
  }
  return persisted as unknown as TypedDocumentNode<Data, Variables>;
}
