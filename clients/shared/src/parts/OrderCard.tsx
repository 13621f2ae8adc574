import "./OrderCard.css";
import "./OfferCard.css";

import type { ReactNode } from "react";

import type { OrderCardFragment } from "../generated/graphql";
import { useFormat } from "../language/Language";
import { useWords } from "../language/words";
import { VoucherCode } from "./VoucherCode";

const OVER: readonly string[] = ["CANCELLED", "RETURNED", "EXCHANGED"];
const ARRIVED: readonly string[] = ["DELIVERED", "FULFILLED"];

/** An order and the history of its states. */
export function OrderCard({ order, children }: { order: OrderCardFragment; children?: ReactNode }) {
  const words = useWords();
  const format = useFormat();
  const { reward, state, quantity, recipient, appointment, code, voucher, trackingUrl } = order;
  const tone = ARRIVED.includes(state) ? "good" : OVER.includes(state) ? undefined : "warn";
  const facts = [
    words.order.number({ number: order.number }),
    quantity > 1 && words.order.quantity({ count: quantity }),
    recipient !== null && words.order.for({ name: recipient }),
    appointment !== null && words.order.appointment({ moment: format.moment(appointment) }),
  ];
  return (
    <article className="panel order" data-order={order.number} data-state={state}>
      <div className="row spread">
        <h2 className="card-title" dir={reward.direction.toLowerCase()}>
          {reward.title}
        </h2>
        <span className="tag" data-tone={tone}>
          {words.order.states[state]}
        </span>
      </div>
      <p className="small quiet tabular">
        {facts.filter(Boolean).join(" · ")} · {words.pointsCounted({ points: order.points })}
      </p>
      {code !== null && (
        <p className="offer-code">
          <span className="small quiet">{words.order.code}</span>
          <code dir="ltr">{code}</code>
        </p>
      )}
      {voucher !== null && <VoucherCode voucher={voucher} />}
      <ol className="order-steps">
        {order.history.map((step) => (
          <li key={`${step.state} ${step.at}`}>
            <p>{words.order.states[step.state]}</p>
            <p className="quiet">
              <time dateTime={step.at}>{format.moment(step.at)}</time>
            </p>
            {step.note !== null && <p dir="auto">{step.note}</p>}
          </li>
        ))}
      </ol>
      {trackingUrl !== null && (
        <a href={trackingUrl} rel="noreferrer noopener" target="_blank">
          {words.order.track}
        </a>
      )}
      {children}
    </article>
  );
}
