import { useEffect } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import {
  ActivateOfferDocument,
  NoteOffersDocument,
  type OfferCardFragment,
  OffersDocument,
} from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Fault, Outcome } from "@carillon/shared/parts/Fault";
import { OfferCard } from "@carillon/shared/parts/OfferCard";

import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

const PAGE = 50;
const SEEN_AFTER_MS = 2_000;

/** Offers already reported as seen from this tab. */
const reported = new Set<string>();

export function OffersPage({ live, member }: PageProps) {
  const words = useWords();
  const siteWords = useSiteWords();
  const { data, failure, isLoading, refetch } = useVersionedQuery(OffersDocument, { first: PAGE, after: null }, member.version);
  const offers = (data?.me?.offers.edges ?? []).map(({ node }) => node);
  useSeen(offers);
  return (
    <>
      <h1>{siteWords.routes.offers}</h1>
      {failure !== null && <Fault failure={failure} onRetry={refetch} />}
      {!isLoading && failure === null && offers.length === 0 && <p className="empty">{words.offer.empty}</p>}
      <ul className="cards" aria-busy={isLoading}>
        {offers.map((memberOffer) => (
          <li key={memberOffer.offer.id}>
            <OwnOffer memberOffer={memberOffer} live={live} />
          </li>
        ))}
      </ul>
    </>
  );
}

function OwnOffer({ memberOffer, live }: { memberOffer: OfferCardFragment; live: LiveMember }) {
  const words = useWords();
  const activate = useAction(ActivateOfferDocument, ({ activateOffer }) => activateOffer);
  const note = useAction(NoteOffersDocument, ({ noteOffers }) => noteOffers);
  const { offer, state } = memberOffer;
  const activateOffer = async () => {
    const outcome = await activate.run({ offer: offer.id });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
  };
  if (state !== "AVAILABLE") return <OfferCard memberOffer={memberOffer} heading="h2" />;
  return (
    <OfferCard memberOffer={memberOffer} heading="h2">
      {offer.needsActivation && (
        <Button isBusy={activate.isBusy} onClick={() => void activateOffer()}>
          {words.offer.activate}
        </Button>
      )}
      {note.outcome?.kind === "done" ? (
        <p className="small quiet" role="status">
          {words.offer.refused}
        </p>
      ) : (
        <Button look="text" isBusy={note.isBusy} onClick={() => void note.run({ refused: [offer.id], seen: [] })}>
          {words.offer.refuse}
        </Button>
      )}
      <Outcome outcome={activate.outcome} />
      <Outcome outcome={note.outcome} />
    </OfferCard>
  );
}

/** Reports the offers that were visible for 2 s as seen. The member did not request this, so errors are not shown. */
function useSeen(offers: readonly OfferCardFragment[]): void {
  const { run } = useAction(NoteOffersDocument, ({ noteOffers }) => noteOffers);
  const unseen = offers.map(({ offer }) => offer.id).filter((id) => !reported.has(id));
  useEffect(() => {
    if (unseen.length === 0) return undefined;
    const timer = window.setTimeout(() => {
      if (document.visibilityState !== "visible") return;
      for (const id of unseen) reported.add(id);
      void run({ seen: unseen, refused: [] });
    }, SEEN_AFTER_MS);
    return () => window.clearTimeout(timer);
  }, [unseen.join(" ")]); // by value: a refetch of the same offers must not restart the timer
}
