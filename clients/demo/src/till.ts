import { useState } from "react";

import type { Api } from "@carillon/shared/api/api";
import { serverNow } from "@carillon/shared/api/serverClock";
import { RecordEventDocument, type RecordEventInput, type RecordEventMutation } from "@carillon/shared/generated/graphql";

import { type Basket, purchaseOf } from "./basket";
import { type Frame, SCREENS, type ScreenName } from "./frames";

type Answer = RecordEventMutation["recordEvent"];

export type TillState =
  | { readonly kind: "idle" }
  | { readonly kind: "sent" }
  | { readonly kind: "counted"; readonly isRefund: boolean; readonly answer: Answer; readonly screens: number; readonly tookMs: number | null }
  | { readonly kind: "refused"; readonly message: string };

export const STORE = "12";
const WATCH_MS = 5_000;
const POLL_EVERY_MS = 10;
const RECEIPT_DIGITS = 6;
const RECEIPTS = 10 ** RECEIPT_DIGITS;

/** A simulated till: sends events, and measures how long the screens take to show them. */
export function useTill(api: Api, frames: Readonly<Record<ScreenName, Frame>>, member: string) {
  const [state, setState] = useState<TillState>({ kind: "idle" });
  const [lastPurchase, setLastPurchase] = useState<string | null>(null);
  const [receipt, setReceipt] = useState(newReceipt);

  const send = async (input: Pick<RecordEventInput, "type" | "purchase" | "refundOf">): Promise<string | null> => {
    const key = crypto.randomUUID();
    const occurredAt = new Date(serverNow()).toISOString();
    setState({ kind: "sent" });
    // Wait only for the frames that show a member: the tablet may have no session.
    const watched = SCREENS.map((name) => frames[name]).filter((frame) => frame.snapshot() !== null);
    const sentAt = performance.now();
    try {
      const event = { ...input, key, member: { number: member }, occurredAt, channel: "STORE", store: STORE } as const;
      const { recordEvent: answer } = await api.mutate(RecordEventDocument, { input: event });
      const [refusal] = answer.userErrors;
      if (refusal !== undefined || answer.member === null) {
        setState({ kind: "refused", message: refusal?.message ?? "" });
        return null;
      }
      const isRefund = input.type === "refund";
      setState({ kind: "counted", isRefund, answer, screens: watched.length, tookMs: null });
      const tookMs = await allShow(watched, answer.member.version, sentAt);
      setState((current) => (current.kind === "counted" && current.answer === answer ? { ...current, tookMs } : current));
      return key;
    } catch {
      setState({ kind: "refused", message: "" });
      return null;
    }
  };

  return {
    state,
    /** The number of the next receipt: typed at the tablet before it is paid, the purchase waits for the till there. */
    receipt,
    canRefund: lastPurchase !== null,
    pay: async (basket: Basket) => {
      const key = await send({ type: "purchase", purchase: purchaseOf(basket, receipt) });
      if (key === null) return;
      setLastPurchase(key);
      setReceipt(newReceipt());
    },
    refund: async () => {
      if (lastPurchase === null) return;
      setLastPurchase(null);
      await send({ type: "refund", refundOf: lastPurchase });
    },
    reset: () => {
      setLastPurchase(null);
      setState({ kind: "idle" });
    },
  };
}

/** A receipt's number counts once a day in a store: chance is enough for a demonstration. */
function newReceipt(): string {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String(number % RECEIPTS).padStart(RECEIPT_DIGITS, "0");
}

/** Milliseconds from `since` until the last of the screens showed the version; null if one did not within 5 s. */
async function allShow(frames: readonly Frame[], version: number, since: number): Promise<number | null> {
  const end = performance.now() + WATCH_MS;
  while (performance.now() < end) {
    const times = frames.map((frame) => frame.firstShownAt(version));
    if (times.every((time) => time !== null)) return Math.max(0, ...times) - since;
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
  return null;
}
