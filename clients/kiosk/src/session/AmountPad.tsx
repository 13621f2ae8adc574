import { useState } from "react";

import { Field } from "@carillon/shared/parts/Field";
import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";

import { useKioskWords } from "../words";
import { amountOf, decimalsOf } from "./amount";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "00", "0"] as const;
const DIGITS_MAX = 8;

const RECEIPT_LENGTH_MAX = 200;

interface AmountPadProps {
  readonly currency: string;
  /** `receipt` is the printed number; null if none was typed. */
  readonly onAmount: (total: string, receipt: string | null) => void;
}

/** Enters an amount as on a till: digits shift in from the right, the decimal point is fixed. And the receipt's number. */
export function AmountPad({ currency, onAmount }: AmountPadProps) {
  const words = useKioskWords();
  const format = useFormat();
  const [digits, setDigits] = useState("");
  const [receipt, setReceipt] = useState("");
  const total = amountOf(digits, decimalsOf(currency));
  const press = (key: string) => setDigits((typed) => (typed + key).replace(/^0+/, "").slice(0, DIGITS_MAX));
  return (
    <div className="stack">
      <output className="pad-amount tabular">{format.money(total, currency)}</output>
      <div className="pad" dir="ltr">
        {KEYS.map((key) => (
          <Button key={key} look="plain" onClick={() => press(key)}>
            {key}
          </Button>
        ))}
        <Button look="plain" aria-label={words.earn.erase} onClick={() => setDigits((typed) => typed.slice(0, -1))}>
          ⌫
        </Button>
      </div>
      <Field
        label={words.earn.receipt}
        note={words.earn.receiptNote}
        value={receipt}
        maxLength={RECEIPT_LENGTH_MAX}
        autoComplete="off"
        dir="ltr"
        onChange={({ target }) => setReceipt(target.value)}
      />
      <Button disabled={digits === ""} onClick={() => onAmount(total, receipt.trim() || null)}>
        {words.earn.record}
      </Button>
    </div>
  );
}
