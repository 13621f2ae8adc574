import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useRef, useState } from "react";
import { useClient } from "urql";

import { byHash } from "./documents";
import { type Failure, failureOf, isWorthRepeating } from "./failure";
import type { RefusalFragment } from "../generated/graphql";

export type Refusal = RefusalFragment;

interface Payload {
  readonly userErrors: readonly Refusal[];
}

/** How an attempt went: `done` has an answer, `refused` an answer that says no, `failed` none. */
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
 * A mutation with a key of its own. When no answer came, the same input is sent again under the same key, so that it
 * counts once whatever became of the first attempt; after an answer, and for another input, there is a new key.
 */
export function useAction<Data, Input extends { key: string }, Answer extends Payload>(
  document: TypedDocumentNode<Data, { input: Input }>,
  answerOf: (data: Data) => Answer,
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
    const reached = outcomeOf(data === undefined || data === null ? undefined : answerOf(data), error);
    if (reached.kind !== "failed" || !isWorthRepeating(reached.failure)) unanswered.current = null;
    setOutcome(reached);
    setBusy(false);
    return reached;
  };

  return { isBusy, outcome, run, reset: () => setOutcome(null) };
}

function outcomeOf<Answer extends Payload>(answer: Answer | undefined, error: unknown): Outcome<Answer> {
  if (error !== undefined || answer === undefined) return { kind: "failed", failure: failureOf(error) };
  if (answer.userErrors.length > 0) return { kind: "refused", refusals: answer.userErrors };
  return { kind: "done", answer };
}
