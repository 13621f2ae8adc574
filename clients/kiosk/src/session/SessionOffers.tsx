import { type Outcome as ActionOutcome, useAction } from "@carillon/shared/api/useAction";
import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import {
  ActivateOfferDocument,
  type MemberStateFragment,
  type OfferCardFragment,
  RedeemOfferDocument,
  SessionOffersDocument,
} from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Fault, Outcome } from "@carillon/shared/parts/Fault";
import { OfferCard } from "@carillon/shared/parts/OfferCard";

import type { Device } from "../device/device";
import { useKioskWords } from "../words";

const SHOWN = 12;

interface SessionOffersProps {
  readonly version: number;
  readonly live: LiveMember;
  readonly device: Device;
  /** The last purchase of this session, which an offer may be used for. */
  readonly purchase: string | null;
}

export function SessionOffers({ version, live, device, purchase }: SessionOffersProps) {
  const words = useKioskWords();
  const shared = useWords();
  const { data, failure, isLoading, refetch } = useVersionedQuery(SessionOffersDocument, { first: SHOWN }, version);
  const offers = data?.kioskSession?.member?.offers.edges.map(({ node }) => node);
  return (
    <section className="stack" aria-label={words.session.offers} aria-busy={isLoading}>
      <h2>{words.session.offers}</h2>
      {failure !== null && offers === undefined && <Fault failure={failure} onRetry={refetch} />}
      {offers?.length === 0 && <p className="empty">{shared.offer.empty}</p>}
      <ul className="offers-list">
        {offers?.map((memberOffer) => (
          <li key={memberOffer.offer.id}>
            <SessionOffer memberOffer={memberOffer} live={live} device={device} purchase={purchase} />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface SessionOfferProps extends Omit<SessionOffersProps, "version"> {
  readonly memberOffer: OfferCardFragment;
}

function SessionOffer({ memberOffer, live, device, purchase }: SessionOfferProps) {
  const words = useKioskWords();
  const shared = useWords();
  const activate = useAction(ActivateOfferDocument, ({ activateOffer }) => activateOffer);
  const redeem = useAction(RedeemOfferDocument, ({ redeemOffer }) => redeemOffer);
  const { offer, state } = memberOffer;
  const applyMember = (outcome: ActionOutcome<{ readonly member: MemberStateFragment | null }>) => {
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
  };
  const activateOffer = async () => applyMember(await activate.run({ offer: offer.id }));
  const use = async () => {
    const { store } = device;
    applyMember(await redeem.run({ offer: offer.id, channel: "KIOSK", store, purchaseKey: purchase }));
  };
  const gifts = redeem.outcome?.kind === "done" ? redeem.outcome.answer.orders : [];
  return (
    <OfferCard memberOffer={memberOffer}>
      {offer.needsActivation && state === "AVAILABLE" ? (
        <Button isBusy={activate.isBusy} onClick={() => void activateOffer()}>
          {shared.offer.activate}
        </Button>
      ) : (
        <Button isBusy={redeem.isBusy} onClick={() => void use()}>
          {words.session.use}
        </Button>
      )}
      {redeem.outcome?.kind === "done" && <p role="status">{words.session.used}</p>}
      {gifts.map(({ id, reward }) => (
        <p key={id} className="gift" dir={reward.direction.toLowerCase()}>
          {words.earn.gift({ title: reward.title })}
        </p>
      ))}
      <Outcome outcome={activate.outcome} />
      <Outcome outcome={redeem.outcome} />
    </OfferCard>
  );
}
