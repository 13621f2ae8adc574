import { type FormEvent, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { type ConsentInput, EnrolDocument } from "@carillon/shared/generated/graphql";
import { useLocale } from "@carillon/shared/language/Language";
import { LOCALE_NAMES, LOCALES, type Locale } from "@carillon/shared/language/locale";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Check, Field, Select } from "@carillon/shared/parts/Field";

import type { Device } from "../device/device";
import { useIdle } from "../session/useIdle";
import { useKioskWords } from "../words";

const IDLE_SECONDS = 90;
const CONTACTS = ["phone", "email"] as const;
type Contact = (typeof CONTACTS)[number];

interface EnrolMemberProps {
  readonly device: Device;
  readonly onBack: () => void;
  readonly onEnrolled: (number: string, consents: readonly ConsentInput[]) => void;
}

/** Enrols a new member, with only the fields that enrolment requires. */
export function EnrolMember({ device, onBack, onEnrolled }: EnrolMemberProps) {
  const words = useKioskWords();
  const [values, setValues] = useState<FormValues>({ ...EMPTY_FORM, locale: useLocale() });
  const enrol = useAction(EnrolDocument, (data) => data.enrol);
  useIdle({ seconds: IDLE_SECONDS, onTimeout: onBack });
  const change = (part: Partial<FormValues>) => setValues((previous) => ({ ...previous, ...part }));
  const { firstName, contact, address, locale, mayWrite, mayPersonalise } = values;

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (enrol.isBusy) return;
    const { store } = device;
    const outcome = await enrol.run({ firstName, [contact]: address.trim(), locale, channel: "KIOSK", store });
    const member = outcome.kind === "done" ? outcome.answer.member : null;
    if (member !== null) onEnrolled(member.number, consentsOf(values));
    // The answer to the first attempt was lost. A tablet sees a new member only once, so the shopper signs in.
    else if (outcome.kind === "done") onBack();
  };

  return (
    <>
      <header className="kiosk-head">
        <h1>{words.enrol.title}</h1>
        <Button look="plain" onClick={onBack}>
          {words.enrol.back}
        </Button>
      </header>
      <main className="enrol">
        <form className="panel stack" onSubmit={(event) => void send(event)} noValidate>
          <Field
            label={words.enrol.firstName}
            autoComplete="off"
            value={firstName}
            fault={refusalOf(enrol.outcome, "firstName")}
            onChange={(event) => change({ firstName: event.target.value })}
          />
          <ContactFields values={values} fault={refusalOf(enrol.outcome, contact)} onChange={change} />
          <Select
            label={words.enrol.language}
            value={locale}
            onChange={(event) => change({ locale: event.target.value as Locale })}
          >
            {LOCALES.map((each) => (
              <option key={each} value={each}>
                {LOCALE_NAMES[each]}
              </option>
            ))}
          </Select>
          <Check
            label={words.enrol.marketing[contact]}
            checked={mayWrite}
            onChange={(event) => change({ mayWrite: event.target.checked })}
          />
          <Check
            label={words.enrol.personalisation}
            checked={mayPersonalise}
            onChange={(event) => change({ mayPersonalise: event.target.checked })}
          />
          <Outcome outcome={enrol.outcome} except={["firstName", contact]} />
          <Button type="submit" isBusy={enrol.isBusy} disabled={firstName.trim() === "" || address.trim() === ""}>
            {words.enrol.join}
          </Button>
        </form>
      </main>
    </>
  );
}

interface FormValues {
  readonly firstName: string;
  readonly contact: Contact;
  readonly address: string;
  readonly locale: Locale;
  readonly mayWrite: boolean;
  readonly mayPersonalise: boolean;
}

const EMPTY_FORM = { firstName: "", contact: "phone", address: "", mayWrite: false, mayPersonalise: false } as const;

/** The consents of the ticked boxes. An empty box neither grants nor withdraws one. */
function consentsOf({ contact, mayWrite, mayPersonalise }: FormValues): readonly ConsentInput[] {
  const consents: ConsentInput[] = [];
  if (mayWrite) consents.push({ purpose: "MARKETING", channel: contact === "phone" ? "SMS" : "EMAIL", granted: true });
  if (mayPersonalise) consents.push({ purpose: "PERSONALISATION", granted: true });
  return consents;
}

interface ContactFieldsProps {
  readonly values: FormValues;
  readonly fault: string | undefined;
  readonly onChange: (part: Partial<FormValues>) => void;
}

function ContactFields({ values: { contact, address }, fault, onChange }: ContactFieldsProps) {
  const words = useKioskWords();
  return (
    <fieldset className="stack">
      <legend className="legend">{words.enrol.contact}</legend>
      <div className="choice" role="group" aria-label={words.enrol.contact}>
        {CONTACTS.map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={each === contact}
            onClick={() => onChange({ contact: each, address: "" })}
          >
            {words.attract.ways[each]}
          </button>
        ))}
      </div>
      <Field
        label={words.attract.ways[contact]}
        type={contact === "email" ? "email" : "tel"}
        autoComplete="off"
        dir="ltr"
        value={address}
        fault={fault}
        onChange={(event) => onChange({ address: event.target.value })}
      />
    </fieldset>
  );
}
