import "./OfferCard.css";

import type { ReactNode } from "react";

import { type Format } from "../language/format";
import { useFormat } from "../language/Language";
import { type Words, useWords } from "../language/words";
import type { OfferCardFragment } from "../generated/graphql";

interface OfferCardProps {
  readonly memberOffer: OfferCardFragment;
  /** Heading level of the title: one below the page's or section's. */
  readonly heading?: "h2" | "h3";
  /** Actions. */
  readonly children?: ReactNode;
}

/** An offer and its state for a member. */
export function OfferCard({ memberOffer, heading: Heading = "h3", children }: OfferCardProps) {
  const words = useWords();
  const format = useFormat();
  const { offer, state, code, usesLeft, expiresAt, why } = memberOffer;
  const isOver = state === "REDEEMED" || state === "EXPIRED";
  return (
    <article className="offer" data-offer={offer.key} data-state={state} data-over={isOver}>
      <div className="offer-head">
        <p className="offer-gain">
          <bdi>{benefitOf(offer, words, format)}</bdi>
        </p>
        {state !== "AVAILABLE" && (
          <span className="tag" data-tone={state === "ACTIVATED" ? "good" : undefined}>
            {words.offer.states[state]}
          </span>
        )}
      </div>
      <div className="stack">
        <div dir={offer.direction.toLowerCase()}>
          <Heading className="card-title">{offer.title}</Heading>
          <p>{offer.description}</p>
        </div>
        {offer.terms !== "" && (
          <p className="offer-terms small quiet" dir={offer.direction.toLowerCase()}>
            {offer.terms}
          </p>
        )}
        <p className="small quiet">
          {[
            offer.maximum !== null && words.offer.atMost({ money: format.money(offer.maximum.amount, offer.maximum.currency) }),
            expiresAt !== null && words.offer.until({ day: format.day(expiresAt) }),
            usesLeft !== null && usesLeft > 0 && words.offer.usesLeft({ count: usesLeft }),
            why,
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
        {code !== null && (
          <p className="offer-code">
            <span className="small quiet">{words.offer.code}</span>
            <code dir="ltr">{code}</code>
          </p>
        )}
      </div>
      {children !== undefined && <div className="row">{children}</div>}
    </article>
  );
}

/** The benefit in a word: the offer's number if it has one, else its kind. */
function benefitOf({ kind, percent, amount, factor, points }: OfferCardFragment["offer"], words: Words, format: Format) {
  if (percent !== null) return words.offer.off({ share: format.percent(Number(percent) / 100) });
  if (amount !== null) return words.offer.off({ share: format.money(amount.amount, amount.currency) });
  if (factor !== null) return words.offer.factor({ times: format.number(Number(factor)) });
  if (points !== null) return words.offer.bonus({ points });
  return words.offer.kinds[kind];
}
