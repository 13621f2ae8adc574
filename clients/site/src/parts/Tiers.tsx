import type { MemberStateFragment } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { Bell } from "@carillon/shared/parts/Bell";
import { useWords } from "@carillon/shared/language/words";
import type { Programme } from "@carillon/shared/screen/useProgramme";

import { useSiteWords } from "../words";

/** All tiers with their benefits. */
export function Tiers({ tiers, current }: { tiers: Programme["tiers"]; current: MemberStateFragment["status"] }) {
  const words = useSiteWords();
  const shared = useWords();
  const format = useFormat();
  return (
    <section className="section">
      <h2>{words.home.tiers}</h2>
      <ol className="tiers">
        {tiers.map((tier) => {
          const isCurrent = tier.key === current.tier.key;
          return (
            <li key={tier.key} className="panel stack" data-current={isCurrent} aria-current={isCurrent || undefined}>
              <p className="row spread">
                <span className="tier-name">
                  <Bell />
                  {tier.name}
                </span>
                {isCurrent && <span className="tag">{words.home.yours}</span>}
              </p>
              <p className="small quiet tabular">
                {isCurrent && current.until !== null
                  ? shared.status.until({ day: format.day(current.until) })
                  : words.home.from({ points: tier.threshold })}
              </p>
              <ul className="benefits">
                {tier.benefits.map((benefit) => (
                  <li key={benefit}>{benefit}</li>
                ))}
              </ul>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
