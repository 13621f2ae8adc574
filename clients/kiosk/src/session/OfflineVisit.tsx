import { memberKeyOf, type Identifier } from "../scan/identifier";
import type { Device } from "../device/device";
import type { Outbox } from "../outbox/outbox";
import { Button } from "@carillon/shared/parts/Button";
import { useKioskWords } from "../words";
import { Earn } from "./Earn";
import { useIdle } from "./useIdle";

const IDLE_SECONDS = 60;

interface OfflineVisitProps {
  readonly identifier: Identifier;
  readonly device: Device;
  readonly currency: string | null;
  readonly outbox: Outbox;
  readonly onEnd: () => void;
}

/** A visit without a network: the member's state cannot be shown, but events can be recorded. */
export function OfflineVisit({ identifier, device, currency, outbox, onEnd }: OfflineVisitProps) {
  const words = useKioskWords();
  const left = useIdle({ seconds: IDLE_SECONDS, onTimeout: onEnd });
  const memberKey = memberKeyOf(identifier);
  return (
    <>
      <header className="kiosk-head">
        <h1>{words.greet.away}</h1>
        <div className="row">
          {left !== null && (
            <p className="idle" role="timer" data-idle={left}>
              {words.session.idle({ seconds: left })}
            </p>
          )}
          <Button look="plain" onClick={onEnd}>
            {words.session.leave}
          </Button>
        </div>
      </header>
      <main className="columns">
        <div className="panel stack">
          <p>{words.greet.awayLead}</p>
          <p className="quiet">
            {words.greet.known[identifier.kind]} <bdi>•••{identifier.text.slice(-3)}</bdi>
          </p>
        </div>
        {memberKey !== null && <Earn memberKey={memberKey} device={device} currency={currency} outbox={outbox} />}
      </main>
    </>
  );
}
