import { useAction } from "@carillon/shared/api/useAction";
import {
  type ConsentLineFragment,
  type ConsentPurpose,
  type ContactChannel,
  SetConsentsDocument,
} from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { useWords } from "@carillon/shared/language/words";
import { Outcome } from "@carillon/shared/parts/Fault";
import { Check } from "@carillon/shared/parts/Field";

import { type SiteWords, useSiteWords } from "../words";

const PURPOSES: readonly ConsentPurpose[] = ["MARKETING", "PERSONALISATION", "PARTNERS"];
const CONTACTS: readonly ContactChannel[] = ["EMAIL", "SMS", "PUSH", "MAIL"];

interface ConsentPanelProps {
  readonly consents: readonly ConsentLineFragment[];
  readonly history: readonly ConsentLineFragment[];
}

/** The member's consents, each changed with one click, and their history. */
export function ConsentPanel({ consents, history }: ConsentPanelProps) {
  const words = useSiteWords();
  return (
    <section className="panel stack consents">
      <div>
        <h2>{words.profile.consents}</h2>
        <p className="quiet">{words.profile.consentsLead}</p>
      </div>
      {PURPOSES.map((purpose) => (
        <fieldset key={purpose} className="consent">
          <legend className="legend">{words.profile.purposes[purpose].title}</legend>
          {purpose === "MARKETING" && <p className="small quiet">{words.profile.purposes[purpose].text}</p>}
          <div className="row">
            {(purpose === "MARKETING" ? CONTACTS : [null]).map((channel) => (
              <ConsentCheck key={channel} purpose={purpose} channel={channel} consents={consents} />
            ))}
          </div>
        </fieldset>
      ))}
      <History history={history} />
    </section>
  );
}

interface ConsentCheckProps {
  readonly purpose: ConsentPurpose;
  readonly channel: ContactChannel | null;
  readonly consents: readonly ConsentLineFragment[];
}

function ConsentCheck({ purpose, channel, consents }: ConsentCheckProps) {
  const words = useSiteWords();
  const set = useAction(SetConsentsDocument, ({ setConsents }) => setConsents);
  const isGranted = consents.some((line) => line.purpose === purpose && line.channel === channel && line.granted);
  return (
    <div>
      <Check
        label={channel === null ? words.profile.purposes[purpose].text : words.profile.contact[channel]}
        checked={isGranted}
        aria-disabled={set.isBusy || undefined}
        onChange={(event) => {
          if (!set.isBusy) void set.run({ consents: [{ purpose, channel, granted: event.target.checked }] });
        }}
      />
      <Outcome outcome={set.outcome} />
    </div>
  );
}

function History({ history }: { history: readonly ConsentLineFragment[] }) {
  const words = useSiteWords();
  const shared = useWords();
  const format = useFormat();
  return (
    <details>
      <summary>{words.profile.history}</summary>
      {history.length === 0 && <p className="quiet">{words.profile.noHistory}</p>}
      <ul className="why">
        {history.map((line) => (
          <li key={`${line.purpose} ${line.channel} ${line.changedAt}`}>
            <span>
              <time dateTime={line.changedAt}>{format.moment(line.changedAt)}</time> · {aboutOf(line, words)} ·{" "}
              {shared.channels[line.via]}
            </span>
            <strong>{line.granted ? words.profile.granted : words.profile.withdrawn}</strong>
          </li>
        ))}
      </ul>
    </details>
  );
}

function aboutOf({ purpose, channel }: ConsentLineFragment, words: SiteWords): string {
  const { title } = words.profile.purposes[purpose];
  return channel === null ? title : `${title}, ${words.profile.contact[channel]}`;
}
