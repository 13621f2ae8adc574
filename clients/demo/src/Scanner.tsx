import { type FormEvent, useState, useSyncExternalStore } from "react";

import type { Api } from "@carillon/shared/api/api";
import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";
import { Field } from "@carillon/shared/parts/Field";

import type { Frame } from "./frames";
import { type Reading, useScanner } from "./scanner";
import { useDemoWords } from "./words";

interface ScannerProps {
  readonly api: Api;
  readonly frames: { readonly app: Frame; readonly site: Frame };
}

/** The till's scanner: reads a voucher or the app's code, typed, pasted, or from a screen beside it. */
export function Scanner({ api, frames: { app, site } }: ScannerProps) {
  const words = useDemoWords().scanner;
  const [text, setText] = useState("");
  const { reading, isBusy, read } = useScanner(api);
  const pass = useSyncExternalStore(app.subscribe, () => app.read("pass"));
  const inApp = useSyncExternalStore(app.subscribe, () => app.read("voucher"));
  const onSite = useSyncExternalStore(site.subscribe, () => site.read("voucher"));
  const voucher = inApp ?? onSite;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") void read(text);
  };
  return (
    <form className="scanner" onSubmit={submit}>
      <Field
        label={words.field}
        value={text}
        dir="ltr"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
      <div className="row">
        <Button type="submit" look="plain" isBusy={isBusy}>
          {words.read}
        </Button>
        <Button look="plain" disabled={voucher === null || isBusy} onClick={() => voucher !== null && void read(voucher)}>
          {words.voucher}
        </Button>
        <Button look="plain" disabled={pass === null || isBusy} onClick={() => pass !== null && void read(pass)}>
          {words.pass}
        </Button>
      </div>
      <Outcome reading={reading} />
    </form>
  );
}

function Outcome({ reading }: { reading: Reading | null }) {
  const words = useDemoWords();
  const format = useFormat();
  if (reading === null) return <p className="till-outcome" role="status" />;
  if (reading.kind === "refused") {
    return (
      <p className="fault" role="alert">
        {reading.message ?? words.failed}
      </p>
    );
  }
  if (reading.kind === "unknown") {
    return (
      <p className="fault" role="alert">
        {words.scanner.unknown}
      </p>
    );
  }
  if (reading.kind === "member") {
    const { number, status, points } = reading.member;
    return (
      <p className="till-outcome" role="status">
        {words.scanner.known({ number, tier: status.tier.name, points: points.available })}
      </p>
    );
  }
  const { reward, voucher } = reading.order;
  const worth = voucher?.worth ?? null;
  return (
    <p className="till-outcome" role="status" dir={reward.direction.toLowerCase()}>
      {worth === null
        ? words.scanner.used({ title: reward.title })
        : words.scanner.worth({ title: reward.title, money: format.money(worth.amount, worth.currency) })}
    </p>
  );
}
