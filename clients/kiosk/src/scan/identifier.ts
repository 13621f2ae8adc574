import type { MemberKey, SessionKey } from "@carillon/shared/generated/graphql";

/** What a person scans or types to identify a member. A scanned `card` may be the membership number printed on it. */
export type Identifier = { readonly kind: "pass" | "card" | "number" | "phone" | "email"; readonly text: string };

const PASS_PREFIX = "CP1.";

export function identifierOfScan(text: string): Identifier {
  return { kind: text.startsWith(PASS_PREFIX) ? "pass" : "card", text };
}

/** The keys to try in turn until a session opens. */
export function sessionKeysOf({ kind, text }: Identifier): readonly SessionKey[] {
  switch (kind) {
    case "pass":
      return [{ pass: text }];
    case "card":
      return [{ card: text }, { number: text }];
    case "number":
      return [{ number: text }, { card: text }];
    case "phone":
      return [{ phone: text }];
    case "email":
      return [{ email: text }];
  }
}

/** The member key of an event recorded offline; null for a pass, which only the gateway can decode. */
export function memberKeyOf({ kind, text }: Identifier): MemberKey | null {
  switch (kind) {
    case "pass":
      return null;
    case "card":
      return { card: text };
    case "number":
      return { number: text };
    case "phone":
      return { phone: text };
    case "email":
      return { email: text };
  }
}
