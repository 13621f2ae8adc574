import type { FormEvent } from "react";
import { useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { ConfirmSessionDocument, type MemberKey, type MemberStateFragment } from "@carillon/shared/generated/graphql";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Field } from "@carillon/shared/parts/Field";

import type { Device } from "../device/device";
import type { Outbox } from "../outbox/outbox";
import { useKioskWords } from "../words";
import { Earn } from "./Earn";

interface GreetProps {
  readonly memberKey: MemberKey | null;
  readonly device: Device;
  readonly currency: string | null;
  readonly outbox: Outbox;
  readonly onConfirmed: (member: MemberStateFragment) => void;
}

/** An unconfirmed session: a phone number or an e-mail address, which others may know, allows earning but shows no data. */
export function Greet({ memberKey, device, currency, outbox, onConfirmed }: GreetProps) {
  const words = useKioskWords();
  const [digits, setDigits] = useState("");
  const confirm = useAction(ConfirmSessionDocument, ({ confirmSession }) => confirmSession);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (confirm.isBusy) return;
    const outcome = await confirm.run({ digits: digits.replace(/\D/g, "") });
    const member = outcome.kind === "done" ? outcome.answer.session?.member : null;
    if (member != null) onConfirmed(member);
  };
  return (
    <main className="columns">
      <form className="panel stack" onSubmit={(event) => void send(event)} noValidate>
        <Field
          label={words.greet.digits}
          note={words.greet.digitsNote}
          className="input-code"
          inputMode="numeric"
          autoComplete="one-time-code"
          dir="ltr"
          maxLength={7}
          value={digits}
          fault={refusalOf(confirm.outcome, "digits")}
          onChange={(event) => setDigits(event.target.value)}
        />
        <Outcome outcome={confirm.outcome} except={["digits"]} />
        <Button type="submit" isBusy={confirm.isBusy}>
          {words.greet.confirm}
        </Button>
      </form>
      {memberKey !== null && <Earn memberKey={memberKey} device={device} currency={currency} outbox={outbox} />}
    </main>
  );
}
