import type { TypedDocumentNode } from "@graphql-typed-document-node/core";

/** What code generation leaves of an operation: its digest, and its types. The text is the gateway's. */
interface Registered {
  readonly __meta__: { readonly hash: string };
}

interface Persisted {
  readonly kind: "Document";
  readonly definitions: readonly [];
  readonly documentId: string;
}

const made = new WeakMap<object, Persisted>();

/** The name under which the gateway knows an operation, as `sha256:` and its hex digest. */
export function documentIdOf(document: object): string {
  return (document as Registered).__meta__.hash;
}

/** An operation in the form in which urql sends its name and no text. */
export function byHash<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
): TypedDocumentNode<Data, Variables> {
  let persisted = made.get(document);
  if (persisted === undefined) {
    persisted = { kind: "Document", definitions: [], documentId: documentIdOf(document) };
    made.set(document, persisted);
  }
  return persisted as unknown as TypedDocumentNode<Data, Variables>;
}
