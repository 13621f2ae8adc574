import { useRef, useState } from "react";

import type { Api } from "@carillon/shared/api/api";
import {
  ReadPassDocument,
  type ReadPassQuery,
  RedeemVoucherDocument,
  type RedeemVoucherMutation,
} from "@carillon/shared/generated/graphql";
import { isRetryable, OperationFailed } from "@carillon/shared/api/failure";

import { STORE } from "./till";

export type Reading =
  | { readonly kind: "member"; readonly member: NonNullable<ReadPassQuery["member"]> }
  | { readonly kind: "order"; readonly order: NonNullable<RedeemVoucherMutation["redeemVoucher"]["order"]> }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly message: string | null };

const PASS_PREFIX = "CP1.";

/** Reads what a shopper shows at the till: the app's code, or a voucher, which is then used. */
export function useScanner(api: Api) {
  const [reading, setReading] = useState<Reading | null>(null);
  const [isBusy, setBusy] = useState(false);
  // A retry after a missing answer reuses the key, and counts once.
  const unanswered = useRef<{ readonly code: string; readonly key: string } | null>(null);

  const readPass = async (code: string): Promise<Reading> => {
    const { member } = await api.query(ReadPassDocument, { by: { pass: code } });
    return member === null ? { kind: "unknown" } : { kind: "member", member };
  };

  const redeem = async (code: string): Promise<Reading> => {
    const key = unanswered.current?.code === code ? unanswered.current.key : crypto.randomUUID();
    unanswered.current = { code, key };
    const input = { key, code, channel: "STORE", store: STORE } as const;
    const { order, userErrors } = (await api.mutate(RedeemVoucherDocument, { input })).redeemVoucher;
    unanswered.current = null;
    return order === null ? { kind: "refused", message: userErrors[0]?.message ?? null } : { kind: "order", order };
  };

  const read = async (text: string): Promise<void> => {
    const code = text.trim();
    setBusy(true);
    setReading(null);
    try {
      setReading(await (code.startsWith(PASS_PREFIX) ? readPass(code) : redeem(code)));
    } catch (error) {
      if (error instanceof OperationFailed && !isRetryable(error.failure)) unanswered.current = null;
      setReading({ kind: "refused", message: error instanceof OperationFailed ? error.failure.message : null });
    }
    setBusy(false);
  };

  return { reading, isBusy, read };
}
