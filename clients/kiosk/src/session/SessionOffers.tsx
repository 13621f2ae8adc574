import { type Outcome as Reached, useAction } from "@carillon/shared/api/useAction";
import { useFresh } from "@carillon/shared/api/useFresh";
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
  const { data, failure, isLoading, again } = useFresh(SessionOffersDocument, { first: SHOWN }, version);
  const offers = data?.kioskSession?.member?.offers.edges.map(({ node }) => node);
  return (
    <section className="stack" aria-label={words.session.offers} aria-busy={isLoading}>
      <h2>{words.session.offers}</h2>
      {failure !== null && offers === undefined && <Fault failure={failure} onAgain={again} />}
      {offers?.length === 0 && <p className="empty">{shared.offer.empty}</p>}
      <ul className="offers-list">
        {offers?.map((held) => (
          <li key={held.offer.id}>
            <SessionOffer held={held} live={live} device={device} purchase={purchase} />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface SessionOfferProps extends Omit<SessionOffersProps, "version"> {
  readonly held: OfferCardFragment;
}

function SessionOffer({ held, live, device, purchase }: SessionOfferProps) {
  const words = useKioskWords();
  const shared = useWords();
  const activate = useAction(ActivateOfferDocument, ({ activateOffer }) => activateOffer);
  const redeem = useAction(RedeemOfferDocument, ({ redeemOffer }) => redeemOffer);
  const { offer, state } = held;
  const tell = (outcome: Reached<{ readonly member: MemberStateFragment | null }>) => {
    if (outcome.kind === "done" && outcome.answer.member !== null) live.tell(outcome.answer.member);
  };
  const takeUp = async () => tell(await activate.run({ offer: offer.id }));
  const use = async () => {
    const { store } = device;
    tell(await redeem.run({ offer: offer.id, channel: "KIOSK", store, purchaseKey: purchase }));
  };
  const gifts = redeem.outcome?.kind === "done" ? redeem.outcome.answer.orders : [];
  return (
    <OfferCard held={held}>
      {offer.needsActivation && state === "AVAILABLE" ? (
        <Button isBusy={activate.isBusy} onClick={() => void takeUp()}>
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
          {words.earn.gift(reward.title)}
        </p>
      ))}
      <Outcome outcome={activate.outcome} />
      <Outcome outcome={redeem.outcome} />
    </OfferCard>
  );
}
