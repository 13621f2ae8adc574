import { useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import { useVersionedQuery } from "@carillon/shared/api/useVersionedQuery";
import {
  AdvanceOrderDocument,
  CancelOrderDocument,
  type OrderCardFragment,
  OrdersDocument,
} from "@carillon/shared/generated/graphql";
import type { LiveMember } from "@carillon/shared/live/liveMember";
import { Button } from "@carillon/shared/parts/Button";
import { Fault, Outcome } from "@carillon/shared/parts/Fault";
import { OrderCard } from "@carillon/shared/parts/OrderCard";

import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

const PAGE = 50;

export function OrdersPage({ live, member }: PageProps) {
  const words = useSiteWords();
  const { data, failure, isLoading, refetch } = useVersionedQuery(OrdersDocument, { first: PAGE, after: null }, member.version);
  const orders = (data?.me?.orders.edges ?? []).map(({ node }) => node);
  return (
    <>
      <h1>{words.routes.orders}</h1>
      {failure !== null && <Fault failure={failure} onRetry={refetch} />}
      {!isLoading && failure === null && orders.length === 0 && <p className="empty">{words.orders.empty}</p>}
      <ul className="stack" aria-busy={isLoading}>
        {orders.map((order) => (
          <li key={order.id}>
            <OrderCard order={order}>
              <OrderActions order={order} live={live} />
            </OrderCard>
          </li>
        ))}
      </ul>
    </>
  );
}

function OrderActions({ order, live }: { order: OrderCardFragment; live: LiveMember }) {
  const words = useSiteWords();
  const [isConfirming, setConfirming] = useState(false);
  const cancel = useAction(CancelOrderDocument, ({ cancelOrder }) => cancelOrder);
  const advance = useAction(AdvanceOrderDocument, ({ advanceOrder }) => advanceOrder);
  const cancelOrder = async () => {
    const outcome = await cancel.run({ order: order.id });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
    setConfirming(false);
  };
  const requestReturn = async () => {
    const outcome = await advance.run({ order: order.id, state: "RETURN_REQUESTED" });
    if (outcome.kind === "done" && outcome.answer.member !== null) live.apply(outcome.answer.member);
  };
  const isPhysical = order.reward.kind === "PHYSICAL" || order.reward.kind === "PARTNER";
  const canCancel = order.state === "PLACED" || order.state === "CONFIRMED";
  const canReturn = isPhysical && (order.state === "DELIVERED" || order.state === "FULFILLED");
  return (
    <>
      {canCancel && !isConfirming && (
        <Button look="plain" onClick={() => setConfirming(true)}>
          {words.orders.cancel}
        </Button>
      )}
      {canCancel && isConfirming && (
        <div className="row" role="group" aria-label={words.orders.sure}>
          <p>{words.orders.sure}</p>
          <Button isBusy={cancel.isBusy} onClick={() => void cancelOrder()}>
            {words.orders.cancel}
          </Button>
          <Button look="text" onClick={() => setConfirming(false)}>
            {words.orders.keep}
          </Button>
        </div>
      )}
      {canReturn && (
        <Button look="plain" isBusy={advance.isBusy} onClick={() => void requestReturn()}>
          {words.orders.giveBack}
        </Button>
      )}
      <Outcome outcome={cancel.outcome} />
      <Outcome outcome={advance.outcome} />
    </>
  );
}
