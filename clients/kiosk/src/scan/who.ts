import type { MemberKey, SessionKey } from "@carillon/shared/generated/graphql";

/** What somebody shows or types to be known; `card` may turn out to be the number printed on it. */
export type Who = { readonly kind: "pass" | "card" | "number" | "phone" | "email"; readonly text: string };

const PASS_PREFIX = "CP1.";

export function scanned(text: string): Who {
  return { kind: text.startsWith(PASS_PREFIX) ? "pass" : "card", text };
}

/** The ways to ask for a session, one after the other until one is found. */
export function sessionKeysOf({ kind, text }: Who): readonly SessionKey[] {
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

/** Whom an event is about where there is no session; null for a pass: only the gateway can read one. */
export function memberKeyOf({ kind, text }: Who): MemberKey | null {
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
