import { type FormEvent, useEffect, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { SetPreferencesDocument } from "@carillon/shared/generated/graphql";
import { Button } from "@carillon/shared/parts/Button";
import { Outcome } from "@carillon/shared/parts/Fault";
import { Check, Field } from "@carillon/shared/parts/Field";
import type { Programme } from "@carillon/shared/screen/useProgramme";

import { useSiteWords } from "../words";
import { nameOf, topicOf } from "./topics";

interface PreferencePanelProps {
  readonly preferences: readonly string[];
  /** The topics that the programme suggests. */
  readonly suggested: Programme["topics"];
}

/** The member's preferences. A change from another channel replaces the unsaved choice. */
export function PreferencePanel({ preferences, suggested }: PreferencePanelProps) {
  const words = useSiteWords();
  const [chosen, setChosen] = useState(preferences);
  const [other, setOther] = useState("");
  const set = useAction(SetPreferencesDocument, ({ setPreferences }) => setPreferences);
  useEffect(() => setChosen(preferences), [preferences.join(" ")]);
  const names = new Map(suggested.map(({ key, name }) => [key, name]));
  const topics = [...new Set([...names.keys(), ...chosen])];
  const save = (event: FormEvent) => {
    event.preventDefault();
    const added = other.trim();
    const wanted = added === "" ? [...chosen] : [...chosen, topicOf(added)];
    void set.run({ topics: wanted }).then(({ kind }) => {
      if (kind === "done") setOther("");
    });
  };
  return (
    <section className="panel">
      <form className="stack" onSubmit={save} noValidate>
        <div>
          <h2>{words.profile.preferences}</h2>
          <p className="quiet">{words.profile.preferencesLead}</p>
        </div>
        <div className="topics">
          {topics.map((topic) => (
            <Check
              key={topic}
              label={<bdi>{names.get(topic) ?? nameOf(topic)}</bdi>}
              checked={chosen.includes(topic)}
              onChange={({ target }) =>
                setChosen(target.checked ? [...chosen, topic] : chosen.filter((each) => each !== topic))
              }
            />
          ))}
        </div>
        <Field label={words.profile.add} dir="auto" value={other} onChange={(event) => setOther(event.target.value)} />
        <Outcome outcome={set.outcome} />
        <div className="row">
          <Button type="submit" isBusy={set.isBusy}>
            {words.profile.save}
          </Button>
          {set.outcome?.kind === "done" && <p role="status">{words.profile.saved}</p>}
        </div>
      </form>
    </section>
  );
}
