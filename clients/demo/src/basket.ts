import type { PurchaseInput } from "@carillon/shared/generated/graphql";

/** A basket of the real data set, from `/dev/baskets`; `total`, `quantity` and `amount` are decimal strings. */
export interface Basket {
  readonly lines: readonly BasketLine[];
  readonly total: string;
  readonly currency: string;
}

export interface BasketLine {
  readonly sku: string;
  readonly name: string;
  readonly category: string | null;
  readonly brand: string | null;
  readonly quantity: string;
  readonly amount: string;
}

/** Rejects with the gateway's message if there are none. */
export async function fetchBaskets(): Promise<readonly Basket[]> {
  const response = await fetch("/dev/baskets");
  const answer: unknown = await response.json();
  if (response.ok) return answer as Basket[];
  const message = typeof answer === "object" && answer !== null && "error" in answer ? String(answer.error) : "";
  throw new Error(message);
}

export function purchaseOf({ lines, total, currency }: Basket, receipt: string): PurchaseInput {
  return {
    total,
    currency,
    receipt,
    lines: lines.map(({ sku, amount, quantity, category, brand }) => ({ sku, amount, quantity, category, brand })),
  };
}
