import { type ReactNode, useEffect, useState } from "react";

import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";

import { type Basket, fetchBaskets } from "./basket";
import type { TillState, useTill } from "./till";
import { useDemoWords } from "./words";

interface TillProps {
  readonly till: ReturnType<typeof useTill>;
  readonly canShow: boolean;
  readonly onShow: () => void;
  readonly children: ReactNode;
}

export function Till({ till, canShow, onShow, children }: TillProps) {
  const words = useDemoWords();
  const { baskets, problem } = useBaskets();
  const [place, setPlace] = useState(0);
  const basket = baskets[place % Math.max(1, baskets.length)];
  const isBusy = till.state.kind === "sent";
  return (
    <section className="till" aria-label={words.till.title}>
      <div className="framed-head">
        <h2>{words.till.title}</h2>
      </div>
      <div className="receipt">
        {basket !== undefined && <Receipt basket={basket} number={till.receipt} />}
        {basket === undefined && <p role="status">{problem ?? words.till.loading}</p>}
      </div>
      {basket !== undefined && (
        <div className="till-actions">
          <Button isBusy={isBusy} onClick={() => void till.pay(basket)}>
            {words.till.pay}
          </Button>
          <div className="row">
            <Button look="plain" onClick={() => setPlace(place + 1)}>
              {words.till.other}
            </Button>
            <Button look="plain" isBusy={isBusy} disabled={!till.canRefund} onClick={() => void till.refund()}>
              {words.till.refund}
            </Button>
          </div>
        </div>
      )}
      <TillOutcome state={till.state} />
      {children}
      <Button look="plain" disabled={!canShow} onClick={onShow}>
        {words.show}
      </Button>
    </section>
  );
}

function useBaskets(): { readonly baskets: readonly Basket[]; readonly problem: string | null } {
  const words = useDemoWords();
  const [baskets, setBaskets] = useState<readonly Basket[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    fetchBaskets().then(setBaskets, (error: Error) => setProblem(error.message || words.failed));
  }, []);
  return { baskets, problem };
}

function Receipt({ basket: { lines, total, currency }, number }: { basket: Basket; number: string }) {
  const words = useDemoWords();
  const format = useFormat();
  return (
    <>
      <p className="small quiet">
        {words.till.lead} · {words.till.lines({ count: lines.length })}
      </p>
      <ul className="receipt-lines tabular" tabIndex={0} aria-label={words.till.lead}>
        {lines.map((line, place) => (
          <li key={`${line.sku}:${place}`}>
            <bdi>
              {line.quantity !== "1" && `${line.quantity} × `}
              {line.name}
            </bdi>
            <span>{format.money(line.amount, currency)}</span>
          </li>
        ))}
      </ul>
      <p className="small quiet tabular">
        {words.till.receipt} <bdi data-receipt={number}>{number}</bdi>
      </p>
      <p className="receipt-total tabular">
        <span>{words.till.total}</span>
        <span>{format.money(total, currency)}</span>
      </p>
    </>
  );
}

function TillOutcome({ state }: { state: TillState }) {
  const words = useDemoWords();
  if (state.kind === "idle") return <div className="till-outcome" role="status" />;
  if (state.kind === "sent") {
    return (
      <div className="till-outcome" role="status">
        {words.outcome.waiting}
      </div>
    );
  }
  if (state.kind === "refused") {
    return (
      <p className="fault" role="alert">
        {state.message || words.failed}
      </p>
    );
  }
  const { answer, isRefund, screens, tookMs } = state;
  const points = Math.abs(answer.entries.reduce((sum, entry) => sum + entry.points, 0));
  return (
    <div className="till-outcome" role="status" data-took={tookMs === null ? undefined : Math.round(tookMs)}>
      <p>{isRefund ? words.outcome.refunded({ points }) : words.outcome.paid({ points })}</p>
      <p className="till-took">
        {tookMs === null ? words.outcome.behind : words.outcome.seen({ count: screens, milliseconds: Math.round(tookMs) })}
      </p>
      {answer.orders.map(({ id, reward }) => (
        <p key={id} dir={reward.direction.toLowerCase()}>
          {words.outcome.gift({ title: reward.title })}
        </p>
      ))}
    </div>
  );
}
