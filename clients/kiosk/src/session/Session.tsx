import { useEffect, useMemo, useRef, useState } from "react";
import { Provider } from "urql";

import { Api } from "@carillon/shared/api/api";
import { serverNow } from "@carillon/shared/api/serverClock";
import {
  type ConsentInput,
  EndSessionDocument,
  KioskSessionDocument,
  type MemberKey,
  type MemberStateFragment,
} from "@carillon/shared/generated/graphql";
import type { Settings } from "@carillon/shared/screen/settings";

import { FixedCredentials } from "../device/credentials";
import type { Device } from "../device/device";
import type { Outbox } from "../outbox/outbox";
import { memberKeyOf, type Identifier } from "../scan/identifier";
import { Greet } from "./Greet";
import type { OpenedSession } from "./openSession";
import { SessionHead } from "./SessionHead";
import { Status } from "./Status";
import { useIdle } from "./useIdle";

const LIFETIME_MAX_MS = 60 * 60 * 1_000;

interface SessionProps {
  readonly opened: OpenedSession;
  readonly identifier: Identifier;
  /** The consents that a new member gave when enrolling, to record in the session; null for an existing member. */
  readonly consents: readonly ConsentInput[] | null;
  readonly locale: string;
  readonly device: Device;
  readonly currency: string | null;
  readonly settings: Settings;
  readonly outbox: Outbox;
  readonly onConfirmed: () => void;
  readonly onEnd: () => void;
}

/** A member's session at the tablet, with its own token, client and socket, which end with it. */
export function Session(props: SessionProps) {
  const { opened, identifier, locale, settings, onConfirmed, onEnd } = props;
  const { session, token } = opened;
  const [member, setMember] = useState<MemberStateFragment | null>(opened.member);
  const [greeting, setGreeting] = useState(session.greeting);
  const end = useLatest(onEnd);
  const credentials = useMemo(() => new FixedCredentials(token, () => end.current()), [token]);
  const api = useMemo(() => new Api({ credentials, locale, channel: "KIOSK" }), [credentials, locale]);
  useEffect(() => () => api.close(), [api]);

  const leave = () => {
    // Best effort: without a network the session times out at the gateway.
    api.mutate(EndSessionDocument, { input: { key: crypto.randomUUID() } }).catch(() => undefined);
    onEnd();
  };
  const keepAlive = () => void api.query(KioskSessionDocument, {}).catch(() => undefined);
  const [endsAt] = useState(() => endOf(session.endsAt));
  const left = useIdle({ seconds: session.idleSeconds, endsAt, onActivity: keepAlive, onTimeout: leave });

  const key: MemberKey | null = member === null ? memberKeyOf(identifier) : { number: member.number };
  return (
    <Provider value={api.client}>
      <SessionHead greeting={greeting} secondsLeft={left} settings={settings} onLeave={leave} />
      {member === null ? (
        <Greet
          memberKey={key}
          device={props.device}
          currency={props.currency}
          outbox={props.outbox}
          onConfirmed={(confirmed) => {
            setMember(confirmed);
            onConfirmed();
          }}
        />
      ) : (
        <Status
          api={api}
          initial={member}
          consents={props.consents}
          device={props.device}
          currency={props.currency}
          outbox={props.outbox}
          onName={setGreeting}
        />
      )}
    </Provider>
  );
}

/** A ref to the latest callback; a no-op after unmounting, so that a late answer cannot end the next session. */
function useLatest(call: () => void) {
  const last = useRef(call);
  useEffect(() => {
    last.current = call;
    return () => {
      last.current = () => undefined;
    };
  });
  return last;
}

/** When the session ends, by the tablet's clock; infinite if that cannot be right, so that the gateway ends it. */
function endOf(endsAt: string): number {
  const left = Date.parse(endsAt) - serverNow();
  return left > 0 && left <= LIFETIME_MAX_MS ? Date.now() + left : Number.POSITIVE_INFINITY;
}
