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

import { useKeptFresh } from "./useKeptFresh";

const PAGE = 30;

export function OffersTab({ member, live }: { member: MemberStateFragment; live: LiveMember }) {
  const words = useWords();
  const { data, failure, isLoading, again } = useKeptFresh("offers", OffersDocument, { first: PAGE, after: null }, member);
  const offers = data?.me?.offers.edges.map(({ node }) => node);
  return (
    <>
      {failure !== null && offers === undefined && <Fault failure={failure} onAgain={again} />}
      {offers?.length === 0 && <p className="empty">{words.offer.empty}</p>}
      <ul className="stack" aria-busy={isLoading}>
        {offers?.map((held) => (
          <li key={held.offer.id}>
            <Offer held={held} live={live} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Offer({ held, live }: { held: OfferCardFragment; live: LiveMember }) {
  const words = useWords();
  const activate = useAction(ActivateOfferDocument, ({ activateOffer }) => activateOffer);
  if (held.state !== "AVAILABLE" || !held.offer.needsActivation) return <OfferCard held={held} heading="h2" />;
  const takeUp = async () => {
    const outcome = await activate.run({ offer: held.offer.id });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.tell(outcome.answer.member);
  };
  return (
    <OfferCard held={held} heading="h2">
      <Button isBusy={activate.isBusy} onClick={() => void takeUp()}>
        {words.offer.activate}
      </Button>
      <Outcome outcome={activate.outcome} />
    </OfferCard>
  );
}
