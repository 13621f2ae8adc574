import type { Refusal } from "../api/useAction";
import type { Failure } from "../api/failure";
import { type Words, useWords } from "../language/words";
import { Button } from "./Button";

/** An error message, with a retry button if `onRetry` is given. */
export function Fault({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  const words = useWords();
  return (
    <div className="fault row spread" role="alert">
      <p>{messageOf(failure, words)}</p>
      {onRetry !== undefined && (
        <Button look="plain" onClick={onRetry}>
          {words.again}
        </Button>
      )}
    </div>
  );
}

/** The gateway's message for the kinds whose message is meant for people, else the client's own. */
export function messageOf({ kind, message }: Failure, words: Words): string {
  return kind === "other" || kind === "limit" || kind === "forbidden"
    ? (message ?? words.failure[kind])
    : words.failure[kind];
}

interface OutcomeProps {
  readonly outcome:
    | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
    | { readonly kind: "failed"; readonly failure: Failure }
    | { readonly kind: "done" }
    | null;
  /** Fields that show their own errors, as ends of paths, such as `recipient.name`. */
  readonly except?: readonly string[];
}

/** The errors of an attempt, except those that a field shows. */
export function Outcome({ outcome, except = [] }: OutcomeProps) {
  const words = useWords();
  if (outcome === null || outcome.kind === "done") return null;
  if (outcome.kind === "failed") return <Fault failure={outcome.failure} />;
  const remaining = outcome.refusals.filter(({ path }) => !except.some((field) => isAbout(path, field)));
  if (remaining.length === 0) return null;
  return (
    <div className="fault stack" role="alert" aria-label={words.failure.other}>
      {remaining.map(({ message }) => (
        <p key={message}>{message}</p>
      ))}
    </div>
  );
}

/** The error message of one field. */
export function refusalOf(outcome: OutcomeProps["outcome"], field: string): string | undefined {
  if (outcome === null || outcome.kind !== "refused") return undefined;
  return outcome.refusals.find(({ path }) => isAbout(path, field))?.message;
}

function isAbout(path: readonly string[], field: string): boolean {
  return `.${path.join(".")}`.endsWith(`.${field}`);
}
