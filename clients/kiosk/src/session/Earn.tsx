import { useEffect, useRef, useState } from "react";

import { serverNow } from "@carillon/shared/api/serverClock";
import type { MemberKey, RecordEventInput } from "@carillon/shared/generated/graphql";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";

import type { Device } from "../device/device";
import type { EventAnswer, Outbox } from "../outbox/outbox";
import { useKioskWords } from "../words";
import { AmountPad } from "./AmountPad";

interface EarnProps {
  readonly memberKey: MemberKey;
  readonly device: Device;
  readonly currency: string | null;
  readonly outbox: Outbox;
  readonly onPurchase?: (key: string) => void;
}

type EarnStatus =
  | { readonly kind: "noted"; readonly key: string }
  | { readonly kind: "counted"; readonly answer: EventAnswer; readonly receipt: string }
  | { readonly kind: "lost" };

/**
 * Records a visit, or a purchase that somebody types: it waits for the till. The event is on disk before the screen
 * confirms it.
 */
export function Earn({ memberKey, device, currency, outbox, onPurchase }: EarnProps) {
  const words = useKioskWords();
  const [hasVisited, setVisited] = useState(false);
  const [isPadOpen, setPadOpen] = useState(false);
  const { status, earn } = useEarning(outbox, memberKey, device);
  return (
    <section className="panel stack earn" aria-label={words.earn.title}>
      <h2>{words.earn.title}</h2>
      <div className="row">
        <Button
          disabled={hasVisited}
          onClick={() => {
            setVisited(true);
            void earn({ type: "visit" });
          }}
        >
          {hasVisited ? words.earn.visited : words.earn.visit}
        </Button>
        <Button look="plain" disabled={currency === null} onClick={() => setPadOpen(true)}>
          {words.earn.purchase}
        </Button>
      </div>
      <EarnMessage status={status} />
      {isPadOpen && currency !== null && (
        <Dialog title={words.earn.amount} onClose={() => setPadOpen(false)}>
          <AmountPad
            currency={currency}
            onAmount={(total, receipt) => {
              setPadOpen(false);
              const purchase = { total, currency, lines: [], ...(receipt !== null && { receipt }) };
              void earn({ type: "purchase", purchase }).then(onPurchase);
            }}
          />
        </Dialog>
      )}
    </section>
  );
}

function useEarning(outbox: Outbox, member: MemberKey, { store }: Device) {
  const [status, setStatus] = useState<EarnStatus | null>(null);
  const ownKeys = useRef(new Set<string>());
  useEffect(
    () =>
      outbox.onAccepted(({ key, purchase }, answer) => {
        if (ownKeys.current.delete(key)) setStatus({ kind: "counted", answer, receipt: purchase?.receipt ?? "" });
      }),
    [outbox],
  );
  const earn = async (event: Pick<RecordEventInput, "type" | "purchase">): Promise<string> => {
    const key = crypto.randomUUID();
    ownKeys.current.add(key);
    try {
      const occurredAt = new Date(serverNow()).toISOString();
      await outbox.add({ ...event, key, member, occurredAt, channel: "KIOSK", ...(store !== null && { store }) });
      setStatus((current) => (ownKeys.current.has(key) ? { kind: "noted", key } : current));
    } catch {
      setStatus({ kind: "lost" });
    }
    return key;
  };
  return { status, earn };
}

function EarnMessage({ status }: { status: EarnStatus | null }) {
  const words = useKioskWords();
  if (status === null) return <p role="status" />;
  if (status.kind === "lost") {
    return (
      <p className="fault" role="alert">
        {words.outbox.kept}
      </p>
    );
  }
  if (status.kind === "noted") return <p role="status">{navigator.onLine ? words.earn.noted : words.earn.notedAway}</p>;
  if (status.answer.waiting) {
    return (
      <p role="status" data-waiting="">
        {words.earn.waits({ receipt: status.receipt })}
      </p>
    );
  }
  const points = status.answer.entries.reduce((sum, entry) => sum + entry.points, 0);
  return (
    <div className="stack" role="status">
      <p>{points > 0 ? words.earn.countedPoints({ points }) : words.earn.counted}</p>
      {status.answer.orders.map(({ id, reward }) => (
        <p key={id} className="gift" data-gift={reward.id} dir={reward.direction.toLowerCase()}>
          {words.earn.gift({ title: reward.title })}
        </p>
      ))}
    </div>
  );
}
