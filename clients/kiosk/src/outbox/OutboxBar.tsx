import { useState, useSyncExternalStore } from "react";

import type { MemberKey } from "@carillon/shared/generated/graphql";
import { useFormat } from "@carillon/shared/language/Language";
import { Button } from "@carillon/shared/parts/Button";
import { Dialog } from "@carillon/shared/parts/Dialog";

import { useKioskWords } from "../words";
import type { Outbox } from "./outbox";
import type { Refused } from "./store";

/** The number of queued events, and the list of refused ones for the clerk. */
export function OutboxBar({ outbox }: { outbox: Outbox }) {
  const words = useKioskWords();
  const { waiting, refused } = useSyncExternalStore(outbox.subscribe, outbox.snapshot);
  const [isOpen, setOpen] = useState(false);
  return (
    <footer className="outbox">
      <p role="status">{waiting > 0 && words.outbox.waiting({ count: waiting })}</p>
      {refused.length > 0 && (
        <Button look="plain" onClick={() => setOpen(true)}>
          {words.outbox.clerk({ count: refused.length })}
        </Button>
      )}
      {isOpen && (
        <Dialog title={words.outbox.title} onClose={() => setOpen(false)}>
          <div className="stack">
            <p className="quiet">{words.outbox.lead}</p>
            <ul className="stack">
              {refused.map((event) => (
                <li key={event.key}>
                  <RefusedEvent event={event} onDismiss={() => void outbox.dismiss(event.key)} />
                </li>
              ))}
            </ul>
          </div>
        </Dialog>
      )}
    </footer>
  );
}

function RefusedEvent({ event: { input, message }, onDismiss }: { event: Refused; onDismiss: () => void }) {
  const words = useKioskWords();
  const format = useFormat();
  const { purchase } = input;
  return (
    <article className="panel stack">
      <p>
        <strong>{words.outbox.types[input.type] ?? input.type}</strong>
        {purchase != null && ` · ${format.money(purchase.total, purchase.currency)}`} · {format.moment(input.occurredAt)} ·{" "}
        <bdi>{masked(input.member)}</bdi>
      </p>
      <p>{message ?? words.outbox.otherTablet}</p>
      <Button look="plain" onClick={onDismiss}>
        {words.outbox.settled}
      </Button>
    </article>
  );
}

/** The last three characters: enough for a clerk with the receipt, but not for a bystander. */
function masked(member: MemberKey): string {
  const text = Object.values(member).find((value) => typeof value === "string") ?? "";
  return `•••${text.slice(-3)}`;
}
