import { type FormEvent, useEffect, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { EnrolDeviceDocument } from "@carillon/shared/generated/graphql";
import { useLocale } from "@carillon/shared/language/Language";
import { Bell } from "@carillon/shared/parts/Bell";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Field } from "@carillon/shared/parts/Field";

import { useKioskWords } from "../words";
import type { Device } from "./device";
import { developmentCode } from "./developmentCode";

interface EnrolDeviceProps {
  /** A code from the address; submitted without a click. */
  readonly code: string | null;
  readonly onEnrolled: (device: Device) => void;
}

/** Enrols the tablet with the short code that a manager obtained. */
export function EnrolDevice({ code, onEnrolled }: EnrolDeviceProps) {
  const words = useKioskWords();
  const [text, setText] = useState(code ?? "");
  const { run, isBusy, outcome } = useAction(EnrolDeviceDocument, ({ enrolDevice }) => enrolDevice);

  const locale = useLocale();
  const [isManagerNeeded, setManagerNeeded] = useState(false);

  const enrol = async (short: string) => {
    const result = await run({ code: short.trim() });
    if (result.kind !== "done") return;
    const { device, token } = result.answer;
    if (device !== null && token !== null) onEnrolled({ id: device.id, name: device.name, store: device.store, token });
  };

  const goWithoutCode = async () => {
    const short = await developmentCode(words.device.tried, locale);
    if (short === null) setManagerNeeded(true);
    else await enrol(short);
  };

  useEffect(() => {
    if (code === null) return;
    setText(code);
    void enrol(code);
  }, [code]); // submits once per code

  return (
    <main className="sheet">
      <Bell className="sheet-mark" />
      <h1>{words.device.title}</h1>
      <p className="quiet">{words.device.lead}</p>
      <form
        className="stack"
        noValidate
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          if (!isBusy) void enrol(text);
        }}
      >
        <Field
          label={words.device.code}
          className="input-code"
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          dir="ltr"
          maxLength={12}
          placeholder="XXXX-XXXX"
          value={text}
          fault={refusalOf(outcome, "code")}
          onChange={(event) => setText(event.target.value)}
        />
        <Outcome outcome={outcome} except={["code"]} />
        <Button type="submit" isBusy={isBusy}>
          {words.device.enrol}
        </Button>
      </form>
      <Button look="plain" isBusy={isBusy} onClick={() => void goWithoutCode()}>
        {words.device.noCode}
      </Button>
      {isManagerNeeded && <p role="status">{words.device.managerNeeded}</p>}
    </main>
  );
}
