import { useEffect, useState } from "react";

import { useAction } from "@carillon/shared/api/useAction";
import type { Api } from "@carillon/shared/api/api";
import { OperationFailed } from "@carillon/shared/api/failure";
import {
  type ConsentInput,
  KioskSessionDocument,
  type MemberStateFragment,
  SetConsentsDocument,
} from "@carillon/shared/generated/graphql";
import type { InitialState } from "@carillon/shared/live/liveMember";
import { useLiveMember } from "@carillon/shared/live/useLiveMember";
import { Outcome } from "@carillon/shared/parts/Fault";
import { StatusCard } from "@carillon/shared/parts/StatusCard";
import { Toasts } from "@carillon/shared/parts/Toasts";

import type { Device } from "../device/device";
import { Welcome } from "../enrol/Welcome";
import type { Outbox } from "../outbox/outbox";
import { Earn } from "./Earn";
import { SessionOffers } from "./SessionOffers";

interface StatusProps {
  readonly api: Api;
  readonly initial: MemberStateFragment;
  readonly consents: readonly ConsentInput[] | null;
  readonly device: Device;
  readonly currency: string | null;
  readonly outbox: Outbox;
  /** Called with the member's first name as this screen may show it, also when it is corrected elsewhere. */
  readonly onName: (name: string) => void;
}

/** Reads the session's member with the session's token. */
async function load(api: Api): Promise<InitialState> {
  const { kioskSession } = await api.query(KioskSessionDocument, {});
  if (kioskSession?.member == null) throw new OperationFailed({ kind: "unauthenticated", message: null });
  return { member: kioskSession.member };
}

/** A confirmed session: the member's live status, earning, and offers. */
export function Status({ api, initial, consents, device, currency, outbox, onName }: StatusProps) {
  const { live, state } = useLiveMember(api, { load, initial: { member: initial, asOf: Date.now() } });
  const [isWelcomed, setWelcomed] = useState(consents === null);
  const [purchase, setPurchase] = useState<string | null>(null);
  const setConsents = useAction(SetConsentsDocument, (data) => data.setConsents);
  useEffect(() => {
    if (consents !== null && consents.length > 0) void setConsents.run({ consents: [...consents] });
  }, []); // once per session
  // A live socket means that the network is back.
  useEffect(() => {
    if (state.connection === "live") outbox.flush();
  }, [state.connection, outbox]);
  const member = state.member ?? initial;
  const { firstName } = member.profile;
  useEffect(() => {
    if (firstName !== null) onName(firstName);
  }, [firstName, onName]);
  return (
    <main className="columns">
      <div className="stack">
        <StatusCard member={member} connection={state.connection} asOf={state.asOf} />
        <Earn
          memberKey={{ number: member.number }}
          device={device}
          currency={currency}
          outbox={outbox}
          onPurchase={setPurchase}
        />
        <Outcome outcome={setConsents.outcome} />
      </div>
      <SessionOffers version={member.version} live={live} device={device} purchase={purchase} />
      {!isWelcomed && <Welcome number={member.number} onClose={() => setWelcomed(true)} />}
      <Toasts notices={state.notices} />
    </main>
  );
}
