import type { PlaceOrderInput } from "@carillon/shared/generated/graphql";

export const EMPTY_RECIPIENT = { name: "", email: "", message: "" };
export const EMPTY_ADDRESS = { name: "", line1: "", line2: "", postalCode: "", city: "", country: "" };

/** The parts of the answer that have a field of their own to be told at. */
export const FIELDS_TOLD: readonly string[] = [
  "quantity",
  "appointment",
  ...Object.keys(EMPTY_RECIPIENT).map((name) => `recipient.${name}`),
  ...Object.keys(EMPTY_ADDRESS).map((name) => `delivery.${name}`),
];

interface OrderSheet {
  readonly reward: string;
  readonly quantity: number;
  readonly appointment: string | null;
  readonly recipient: typeof EMPTY_RECIPIENT | null;
  readonly delivery: typeof EMPTY_ADDRESS | null;
}

/** What was filled in; what may be left out and was, is left out. */
export function inputOf(sheet: OrderSheet): Omit<PlaceOrderInput, "key"> {
  const { reward, quantity, appointment, recipient, delivery } = sheet;
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
  };
}
