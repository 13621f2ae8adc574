import { type FormEvent, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { type ProfileQuery, UpdateProfileDocument } from "@carillon/shared/generated/graphql";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome, refusalOf } from "@carillon/shared/parts/Fault";
import { Field } from "@carillon/shared/parts/Field";

import { useSiteWords } from "../words";

type Profile = NonNullable<ProfileQuery["me"]>["profile"];

const FIELDS = ["firstName", "lastName", "email", "phone", "birthDate"] as const;
type FieldName = (typeof FIELDS)[number];
type Values = Readonly<Record<FieldName, string>>;

const INPUTS = {
  firstName: { autoComplete: "given-name", dir: "auto" },
  lastName: { autoComplete: "family-name", dir: "auto" },
  email: { type: "email", autoComplete: "email", dir: "ltr" },
  phone: { type: "tel", autoComplete: "tel", dir: "ltr" },
  birthDate: { type: "date", autoComplete: "bday" },
} as const;

interface ProfileFormProps {
  readonly profile: Profile;
  readonly live: LiveMember;
  readonly onClose: () => void;
}

/** Corrects the member's personal data. Only changed fields are sent; an empty one clears it. */
export function ProfileForm({ profile, live, onClose }: ProfileFormProps) {
  const words = useSiteWords();
  const [before] = useState(() => valuesOf(profile));
  const [values, setValues] = useState(before);
  const update = useAction(UpdateProfileDocument, ({ updateProfile }) => updateProfile);
  const changed = FIELDS.filter((name) => values[name].trim() !== before[name]);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (update.isBusy) return;
    const outcome = await update.run(Object.fromEntries(changed.map((name) => [name, values[name].trim() || null])));
    if (outcome.kind !== "done") return;
    if (outcome.answer.member !== null) live.apply(outcome.answer.member);
    onClose();
  };
  return (
    <form className="stack" onSubmit={(event) => void send(event)} noValidate>
      {FIELDS.map((name) => (
        <Field
          key={name}
          {...INPUTS[name]}
          label={words.profile[name]}
          value={values[name]}
          fault={refusalOf(update.outcome, name)}
          onChange={({ target }) => setValues((previous) => ({ ...previous, [name]: target.value }))}
        />
      ))}
      <Outcome outcome={update.outcome} except={FIELDS} />
      <div className="row">
        <Button type="submit" isBusy={update.isBusy} disabled={changed.length === 0}>
          {words.profile.save}
        </Button>
        <Button look="plain" onClick={onClose}>
          {words.profile.discard}
        </Button>
      </div>
    </form>
  );
}

function valuesOf(profile: Profile): Values {
  return Object.fromEntries(FIELDS.map((name) => [name, profile[name] ?? ""])) as Values;
}
