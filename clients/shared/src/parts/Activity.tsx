import "./Activity.css";

import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import type { EntryFragment } from "../generated/graphql";

/** The member's ledger entries, each with the rules that explain it. */
export function Activity({ entries }: { entries: readonly EntryFragment[] }) {
  const words = useWords();
  if (entries.length === 0) return <p className="empty">{words.activity.empty}</p>;
  return (
    <ul className="activity">
      {entries.map((entry) => (
        <li key={entry.id} data-entry={entry.id}>
          <Entry entry={entry} />
        </li>
      ))}
    </ul>
  );
}

function Entry({ entry }: { entry: EntryFragment }) {
  const words = useWords();
  const format = useFormat();
  return (
    <div className="entry">
      <p className="entry-label" dir="auto">
        {entry.label}
      </p>
      <p className="entry-points" data-sign={entry.points > 0 ? "more" : "less"}>
        <bdi dir="ltr">{format.signed(entry.points)}</bdi>
      </p>
      <p className="small quiet">
        <time dateTime={entry.occurredAt}>{format.moment(entry.occurredAt)}</time> · {words.channels[entry.channel]}
      </p>
      <p className="small quiet tabular">{words.activity.balance({ points: entry.balance })}</p>
      {entry.why.length > 0 && <Why entry={entry} />}
    </div>
  );
}

function Why({ entry }: { entry: EntryFragment }) {
  const words = useWords();
  const format = useFormat();
  return (
    <details className="entry-why">
      <summary>{words.activity.why}</summary>
      <ul className="why">
        {entry.why.map(({ rule, points, applied, reason }, index) => (
          <li key={`${rule}:${index}`} data-applied={applied}>
            <span dir="auto">{reason}</span>
            <bdi dir="ltr" className="tabular">{applied ? format.signed(points) : "–"}</bdi>
          </li>
        ))}
      </ul>
    </details>
  );
}
