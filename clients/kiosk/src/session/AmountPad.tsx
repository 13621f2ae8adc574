import { useState } from "react";

import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";

import { useKioskWords } from "../words";
import { amountOf, decimalsOf } from "./amount";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "00", "0"] as const;
const DIGITS_MAX = 8;

/** Enters an amount as on a till: digits shift in from the right, the decimal point is fixed. */
export function AmountPad({ currency, onAmount }: { currency: string; onAmount: (total: string) => void }) {
  const words = useKioskWords();
  const format = useFormat();
  const [digits, setDigits] = useState("");
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
      <Button disabled={digits === ""} onClick={() => onAmount(total)}>
        {words.earn.record}
      </Button>
    </div>
  );
}
