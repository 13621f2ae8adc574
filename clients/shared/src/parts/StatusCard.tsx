import "./StatusCard.css";

import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import type { MemberStateFragment } from "../generated/graphql";
import type { Connection } from "../live/liveMember";
import { Bell } from "./Bell";
import { ConnectionMark } from "./ConnectionMark";

interface StatusCardProps {
  readonly member: MemberStateFragment;
  readonly connection: Connection;
  readonly asOf: number | null;
}

/** The member's tier, points and progress; the same on every screen. */
export function StatusCard({ member, connection, asOf }: StatusCardProps) {
  const words = useWords();
  const format = useFormat();
  const { status, points, version } = member;
  return (
    <section
      className="status-frame"
      aria-label={words.status.title}
      data-version={version}
      data-points={points.available}
      data-tier={status.tier.key}
    >
      <div className="status">
        <Waves key={version} />
        <div className="status-head">
          <p className="status-tier">
            <Bell />
            {status.tier.name}
          </p>
          <ConnectionMark connection={connection} asOf={asOf} />
        </div>
        <p className="status-points">
          <span className="status-number">{format.number(points.available)}</span>
          <span className="status-unit">{words.points({ points: points.available })}</span>
        </p>
        <Progress member={member} />
        <p className="hidden-visually" aria-live="polite" aria-atomic="true">
          {words.status.changed({ points: points.available, tier: status.tier.name })}
        </p>
      </div>
    </section>
  );
}

function Progress({ member: { status, points } }: { member: MemberStateFragment }) {
  const words = useWords();
  const format = useFormat();
  const [soonest] = points.expiring;
  const { next } = status;
  return (
    <div className="status-progress">
      {next !== null && (
        <div
          className="status-bar"
          role="progressbar"
          aria-label={words.status.progress({ tier: next.tier.name })}
          aria-valuemin={0}
          aria-valuemax={next.required}
          aria-valuenow={Math.min(next.qualifying, next.required)}
          aria-valuetext={words.status.missing({ points: next.missing, tier: next.tier.name })}
        >
          <span style={{ inlineSize: `${Math.round(next.ratio * 100)}%` }} />
        </div>
      )}
      <div className="status-foot tabular">
        <p>
          {next === null ? words.status.top : words.status.missing({ points: next.missing, tier: next.tier.name })}
          {next?.before != null && ` ${words.status.before({ day: format.day(next.before) })}`}
        </p>
        {points.pending > 0 && <p>{words.status.pending({ points: points.pending })}</p>}
        {points.held > 0 && <p>{words.status.held({ points: points.held })}</p>}
        {soonest !== undefined && (
          <p>{words.status.expiring({ points: soonest.points, day: format.day(soonest.on) })}</p>
        )}
      </div>
    </div>
  );
}

/** Sound waves of a bell; the animation runs when they are mounted, so a new key restarts it. */
function Waves() {
  return (
    <svg className="status-waves" viewBox="0 0 200 200" aria-hidden="true" fill="none" stroke="currentColor">
      <circle cx="100" cy="100" r="34" strokeWidth="7" />
      <circle cx="100" cy="100" r="54" strokeWidth="6" />
      <circle cx="100" cy="100" r="75" strokeWidth="5" />
      <circle cx="100" cy="100" r="96" strokeWidth="4" />
    </svg>
  );
}
