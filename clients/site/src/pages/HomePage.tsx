import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import { type MemberStateFragment, OffersDocument } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { useWords } from "@carillon/shared/language/words";
import { Activity } from "@carillon/shared/parts/Activity";
import { OfferCard } from "@carillon/shared/parts/OfferCard";
import { StatusCard } from "@carillon/shared/parts/StatusCard";

import { Tiers } from "../parts/Tiers";
import { addressOf, type Route } from "../routes";
import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

const LATELY = 5;
const OFFERS = 3;

export function HomePage({ state, member, entries, programme }: PageProps) {
  const words = useSiteWords();
  const { firstName } = member.profile;
  return (
    <>
      <h1>{firstName === null ? words.helloNobody : words.hello({ name: firstName })}</h1>
      <div className="home-top">
        <StatusCard member={member} connection={state.connection} asOf={state.asOf} />
        <PointsPanel member={member} />
      </div>
      {programme !== null && <Tiers tiers={programme.tiers} current={member.status} />}
      <BestOffers version={member.version} />
      <section className="section">
        <SectionHead title={words.home.recent} route="history" />
        <div className="panel panel-list">
          <Activity entries={entries.slice(0, LATELY)} />
        </div>
      </section>
    </>
  );
}

function PointsPanel({ member: { points } }: { member: MemberStateFragment }) {
  const words = useSiteWords();
  const format = useFormat();
  return (
    <section className="panel stack" aria-label={words.home.points}>
      <h2>{words.home.points}</h2>
      <dl className="figures tabular">
        {(["available", "pending", "held", "lifetime"] as const).map((which) => (
          <div key={which}>
            <dt>{words.home[which]}</dt>
            <dd>{format.number(points[which])}</dd>
          </div>
        ))}
      </dl>
      <h3>{words.home.expiring}</h3>
      {points.expiring.length === 0 ? (
        <p className="quiet">{words.home.noExpiry}</p>
      ) : (
        <ul className="figures tabular">
          {points.expiring.slice(0, 3).map((lot) => (
            <li key={lot.on}>
              <span className="quiet">{words.home.expiringOn({ day: format.day(lot.on) })}</span>
              <span>{format.number(lot.points)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function BestOffers({ version }: { version: number }) {
  const words = useSiteWords();
  const shared = useWords();
  const { data } = useVersionedQuery(OffersDocument, { first: OFFERS, after: null }, version);
  const offers = data?.me?.offers.edges ?? [];
  return (
    <section className="section">
      <SectionHead title={words.home.offers} route="offers" />
      {data !== undefined && offers.length === 0 && <p className="empty">{shared.offer.empty}</p>}
      <ul className="cards">
        {offers.map(({ node }) => (
          <li key={node.offer.id}>
            <OfferCard memberOffer={node} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function SectionHead({ title, route }: { title: string; route: Route }) {
  const words = useSiteWords();
  return (
    <div className="row spread">
      <h2>{title}</h2>
      <a href={addressOf(route)} aria-label={`${words.home.all}: ${title}`}>
        {words.home.all}
      </a>
    </div>
  );
}
