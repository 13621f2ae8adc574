import type { PlaceOrderInput } from "@carillon/shared/generated/graphql";

export const EMPTY_RECIPIENT = { name: "", email: "", message: "" };
export const EMPTY_ADDRESS = { name: "", line1: "", line2: "", postalCode: "", city: "", country: "" };

/** Paths of errors that a field of the form shows. */
export const FIELDS_WITH_ERRORS: readonly string[] = [
  "quantity",
  "appointment",
  ...Object.keys(EMPTY_RECIPIENT).map((name) => `recipient.${name}`),
  ...Object.keys(EMPTY_ADDRESS).map((name) => `delivery.${name}`),
];

interface OrderValues {
  readonly reward: string;
  readonly quantity: number;
  readonly appointment: string | null;
  readonly recipient: typeof EMPTY_RECIPIENT | null;
  readonly delivery: typeof EMPTY_ADDRESS | null;
  /** Key of the store where it is collected, unless it is delivered; empty: any store. */
  readonly store: string;
}

/** Converts the form's values to an input; empty optional values become null or are left out. */
export function inputOf(values: OrderValues): Omit<PlaceOrderInput, "key"> {
  const { reward, quantity, appointment, recipient, delivery, store } = values;
  return {
    reward,
    quantity,
    channel: "WEB",
    ...(appointment !== null && { appointment }),
    ...(recipient !== null && {
      recipient: { name: recipient.name, email: recipient.email || null, message: recipient.message || null },
    }),
    ...(delivery !== null && {
      delivery: { ...delivery, line2: delivery.line2 || null, country: delivery.country.toUpperCase() },
    }),
    ...(delivery === null && store !== "" && { delivery: { ...EMPTY_ADDRESS, line2: null, store } }),
  };
}
