import { CombinedError } from "@urql/core";

export type FailureKind = "offline" | "unavailable" | "unauthenticated" | "forbidden" | "limit" | "other";

/** Why an operation has no result. A mutation with `userErrors` has one, and is not a failure. */
export interface Failure {
  readonly kind: FailureKind;
  /** The gateway's message, in the language of the request; null if the network failed. */
  readonly message: string | null;
}

const KINDS: Readonly<Record<string, FailureKind>> = {
  UNAUTHENTICATED: "unauthenticated",
  FORBIDDEN: "forbidden",
  UNAVAILABLE: "unavailable",
  LIMIT_EXCEEDED: "limit",
};

interface GraphQLErrorLike {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

export class OperationFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message ?? failure.kind);
    this.name = "OperationFailed";
  }
}

/** The failure of the first GraphQL error. */
export function failureOfErrors(errors: readonly GraphQLErrorLike[]): Failure {
  const first = errors[0];
  const code = first?.extensions?.["code"];
  return { kind: (typeof code === "string" ? KINDS[code] : undefined) ?? "other", message: first?.message ?? null };
}

export function failureOf(error: unknown): Failure {
  if (error instanceof OperationFailed) return error.failure;
  if (error instanceof CombinedError) {
    if (error.graphQLErrors.length > 0) return failureOfErrors(error.graphQLErrors);
    const status = (error.response as Response | undefined)?.status;
    // A proxy may answer while the gateway restarts.
    if (status !== undefined && status >= 500) return { kind: "unavailable", message: null };
  }
  return { kind: "offline", message: null };
}

/** Whether to send the same operation, with the same key, again. */
export function isRetryable({ kind }: Failure): boolean {
  return kind === "offline" || kind === "unavailable";
}
