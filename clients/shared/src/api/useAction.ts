import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useRef, useState } from "react";
import { useClient } from "urql";

import { byHash } from "./documents";
import { type Failure, failureOf, isRetryable } from "./failure";
import type { RefusalFragment } from "../generated/graphql";

export type Refusal = RefusalFragment;

interface Payload {
  readonly userErrors: readonly Refusal[];
}

/** The result of an attempt: `done` has a payload, `refused` has `userErrors`, `failed` has no answer. */
export type Outcome<Answer> =
  | { readonly kind: "done"; readonly answer: Answer }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface Action<Input, Answer> {
  readonly isBusy: boolean;
  readonly outcome: Outcome<Answer> | null;
  readonly run: (input: Omit<Input, "key">) => Promise<Outcome<Answer>>;
  readonly reset: () => void;
}

/**
 * A mutation with an idempotency key. If no answer came, running it again with the same input reuses the key, so that it
 * counts once. An answer, or another input, gets a new key.
 */
export function useAction<Data, Input extends { key: string }, Answer extends Payload>(
  document: TypedDocumentNode<Data, { input: Input }>,
  payloadOf: (data: Data) => Answer,
): Action<Input, Answer> {
  const client = useClient();
  const unanswered = useRef<{ key: string; text: string } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome<Answer> | null>(null);

  const run = async (input: Omit<Input, "key">): Promise<Outcome<Answer>> => {
    const text = JSON.stringify(input);
    const key = unanswered.current?.text === text ? unanswered.current.key : crypto.randomUUID();
    unanswered.current = { key, text };
    setBusy(true);
    setOutcome(null);
    const { data, error } = await client.mutation(byHash(document), { input: { ...input, key } as Input }).toPromise();
    const result = outcomeOf(data === undefined || data === null ? undefined : payloadOf(data), error);
    if (result.kind !== "failed" || !isRetryable(result.failure)) unanswered.current = null;
    setOutcome(result);
    setBusy(false);
    return result;
  };

  return { isBusy, outcome, run, reset: () => setOutcome(null) };
}

function outcomeOf<Answer extends Payload>(answer: Answer | undefined, error: unknown): Outcome<Answer> {
  if (error !== undefined || answer === undefined) return { kind: "failed", failure: failureOf(error) };
  if (answer.userErrors.length > 0) return { kind: "refused", refusals: answer.userErrors };
  return { kind: "done", answer };
}
