import { useAction } from "@carillon/shared/api/useAction";
import {
  ActivateOfferDocument,
  type MemberStateFragment,
  type OfferCardFragment,
  OffersDocument,
} from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Fault, Outcome } from "@carillon/shared/parts/Fault";
import { OfferCard } from "@carillon/shared/parts/OfferCard";

import { useCachedQuery } from "./useCachedQuery";

const PAGE = 30;

export function OffersTab({ member, live }: { member: MemberStateFragment; live: LiveMember }) {
  const words = useWords();
  const { data, failure, isLoading, refetch } = useCachedQuery("offers", OffersDocument, { first: PAGE, after: null }, member);
  const offers = data?.me?.offers.edges.map(({ node }) => node);
  return (
    <>
      {failure !== null && offers === undefined && <Fault failure={failure} onRetry={refetch} />}
      {offers?.length === 0 && <p className="empty">{words.offer.empty}</p>}
      <ul className="stack" aria-busy={isLoading}>
        {offers?.map((memberOffer) => (
          <li key={memberOffer.offer.id}>
            <Offer memberOffer={memberOffer} live={live} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Offer({ memberOffer, live }: { memberOffer: OfferCardFragment; live: LiveMember }) {
  const words = useWords();
  const activate = useAction(ActivateOfferDocument, ({ activateOffer }) => activateOffer);
  const { state, offer } = memberOffer;
  if (state !== "AVAILABLE" || !offer.needsActivation) return <OfferCard memberOffer={memberOffer} heading="h2" />;
  const activateOffer = async () => {
    const outcome = await activate.run({ offer: offer.id });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
  };
  return (
    <OfferCard memberOffer={memberOffer} heading="h2">
      <Button isBusy={activate.isBusy} onClick={() => void activateOffer()}>
        {words.offer.activate}
      </Button>
      <Outcome outcome={activate.outcome} />
    </OfferCard>
  );
}
