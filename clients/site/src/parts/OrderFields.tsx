import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Field } from "@carillon/shared/parts/Field";
import type { ComponentProps } from "react";

import { useSiteWords } from "../words";
import type { EMPTY_ADDRESS, EMPTY_RECIPIENT } from "./orderInput";

type FormOutcome = ComponentProps<typeof Outcome>["outcome"];

interface FieldsProps<Value> {
  readonly value: Value;
  readonly outcome: FormOutcome;
  readonly onChange: (value: Value) => void;
}

export function RecipientFields({ value, outcome, onChange }: FieldsProps<typeof EMPTY_RECIPIENT>) {
  const words = useSiteWords();
  const field = (name: keyof typeof EMPTY_RECIPIENT) => ({
    value: value[name],
    fault: refusalOf(outcome, `recipient.${name}`),
    onChange: (event: { target: { value: string } }) => onChange({ ...value, [name]: event.target.value }),
  });
  return (
    <fieldset className="panel stack">
      <Field label={words.order.recipient} autoComplete="off" required {...field("name")} />
      <Field label={words.order.email} type="email" autoComplete="off" {...field("email")} />
      <Field label={words.order.message} autoComplete="off" {...field("message")} />
    </fieldset>
  );
}

export function DeliveryFields({ value, outcome, onChange }: FieldsProps<typeof EMPTY_ADDRESS>) {
  const words = useSiteWords();
  const field = (name: keyof typeof EMPTY_ADDRESS) => ({
    label: words.order[name],
    value: value[name],
    fault: refusalOf(outcome, `delivery.${name}`),
    onChange: (event: { target: { value: string } }) => onChange({ ...value, [name]: event.target.value }),
  });
  return (
    <fieldset className="panel stack">
      <Field autoComplete="name" required {...field("name")} />
      <Field autoComplete="address-line1" required {...field("line1")} />
      <Field autoComplete="address-line2" {...field("line2")} />
      <Field autoComplete="postal-code" required {...field("postalCode")} />
      <Field autoComplete="address-level2" required {...field("city")} />
      <Field autoComplete="country" required maxLength={2} note={words.order.countryNote} {...field("country")} />
    </fieldset>
  );
}
