import { useState } from "react";

import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import { CategoriesDocument, RewardsDocument, type RewardsQuery } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";
import { Fault } from "@carillon/shared/parts/Fault";
import { Check, Select } from "@carillon/shared/parts/Field";
import { useWords } from "@carillon/shared/language/words";

import { OrderDialog } from "../parts/OrderDialog";
import { nameOf } from "../parts/topics";
import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

const PAGE = 12;
const PAGE_MAX = 96;

export type MemberReward = NonNullable<RewardsQuery["me"]>["rewards"]["edges"][number]["node"];

export function RewardsPage({ live, member, programme }: PageProps) {
  const words = useSiteWords();
  const [category, setCategory] = useState<string | null>(null);
  const [isReachable, setReachable] = useState(false);
  const [first, setFirst] = useState(PAGE);
  const [chosen, setChosen] = useState<MemberReward | null>(null);
  const { data, failure, isLoading, refetch } = useVersionedQuery(
    RewardsDocument,
    { first, after: null, category, eligible: isReachable ? true : null },
    member.version,
  );
  const page = data?.me?.rewards;
  return (
    <>
      <div className="stack">
        <h1>{words.routes.rewards}</h1>
        <p className="quiet tabular">{words.rewards.lead({ points: member.points.available })}</p>
      </div>
      <div className="filters">
        <Categories current={category} onChoose={setCategory} />
        <Check
          label={words.rewards.reachable}
          checked={isReachable}
          onChange={(event) => setReachable(event.target.checked)}
        />
      </div>
      {failure !== null && <Fault failure={failure} onRetry={refetch} />}
      {page?.edges.length === 0 && <p className="empty">{words.rewards.empty}</p>}
      <ul className="cards" aria-busy={isLoading}>
        {page?.edges.map(({ node }) => (
          <li key={node.reward.id}>
            <RewardCard memberReward={node} onChoose={() => setChosen(node)} />
          </li>
        ))}
      </ul>
      {page?.pageInfo.hasNextPage === true && first < PAGE_MAX && (
        <Button look="plain" className="more" onClick={() => setFirst(first + PAGE)}>
          {words.rewards.more}
        </Button>
      )}
      {chosen !== null && (
        <OrderDialog
          memberReward={chosen}
          live={live}
          available={member.points.available}
          stores={programme?.stores ?? []}
          onClose={() => setChosen(null)}
        />
      )}
    </>
  );
}

function Categories({ current, onChoose }: { current: string | null; onChoose: (category: string | null) => void }) {
  const words = useSiteWords();
  const { data } = useVersionedQuery(CategoriesDocument, {}, null);
  const categories = [...new Set(data?.rewards.edges.map(({ node }) => node.category))].sort();
  return (
    <Select
      label={words.rewards.category}
      value={current ?? ""}
      onChange={(event) => onChoose(event.target.value === "" ? null : event.target.value)}
    >
      <option value="">{words.rewards.every}</option>
      {categories.map((category) => (
        <option key={category} value={category}>
          {words.rewards.categories[category] ?? nameOf(category)}
        </option>
      ))}
    </Select>
  );
}

function RewardCard({ memberReward, onChoose }: { memberReward: MemberReward; onChoose: () => void }) {
  const words = useSiteWords();
  const shared = useWords();
  const format = useFormat();
  const { reward, eligible, missingPoints, reasons } = memberReward;
  const facts = [
    words.rewards.categories[reward.category] ?? nameOf(reward.category),
    reward.partner !== null && words.rewards.partner({ name: reward.partner }),
    reward.stock !== null && words.rewards.stock({ count: reward.stock }),
    reward.availableFrom !== null && words.rewards.from({ day: format.weekday(reward.availableFrom) }),
    reward.availableUntil !== null && words.rewards.until({ day: format.day(reward.availableUntil) }),
  ];
  return (
    <article className="offer reward" data-reward={reward.key} data-over={!eligible}>
      <p className="offer-gain tabular">
        {format.number(reward.points)} <span className="reward-unit">{shared.points({ points: reward.points })}</span>
      </p>
      <div className="stack">
        <div dir={reward.direction.toLowerCase()}>
          <h2 className="card-title">{reward.title}</h2>
          <p>{reward.description}</p>
        </div>
        <p className="small quiet">{facts.filter(Boolean).join(" · ")}</p>
        {reasons.map((reason) => (
          <p key={reason} className="small">
            {reason}
          </p>
        ))}
      </div>
      {eligible ? (
        <div>
          <Button onClick={onChoose} aria-label={`${words.rewards.choose}: ${reward.title}`}>
            {words.rewards.choose}
          </Button>
        </div>
      ) : (
        missingPoints > 0 && <p className="tag">{words.rewards.missing({ points: missingPoints })}</p>
      )}
    </article>
  );
}
