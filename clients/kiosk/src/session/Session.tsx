import { useEffect, useMemo, useRef, useState } from "react";
import { Provider } from "urql";

import { Api } from "@carillon/shared/api/api";
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
import { memberKeyOf, type Who } from "../scan/who";
import { Greet } from "./Greet";
import type { Opened } from "./open";
import { SessionHead } from "./SessionHead";
import { Status } from "./Status";
import { useIdle } from "./useIdle";

const LIFE_MAX_MS = 60 * 60 * 1_000;

interface SessionProps {
  readonly opened: Opened;
  readonly who: Who;
  /** What a new member has just agreed to, before there was a session to say it in; null for who was a member. */
  readonly agreed: readonly ConsentInput[] | null;
  readonly locale: string;
  readonly device: Device;
  readonly currency: string | null;
  readonly settings: Settings;
  readonly outbox: Outbox;
  readonly onConfirmed: () => void;
  readonly onEnd: () => void;
}

/** One shopper's time at the tablet, with a token, a client and a socket of its own, all of which end with it. */
export function Session(props: SessionProps) {
  const { opened, who, locale, settings, onConfirmed, onEnd } = props;
  const { session, token } = opened;
  const [member, setMember] = useState<MemberStateFragment | null>(opened.member);
  const end = useLast(onEnd);
  const credentials = useMemo(() => new FixedCredentials(token, () => end.current()), [token]);
  const api = useMemo(() => new Api({ credentials, locale, channel: "KIOSK" }), [credentials, locale]);
  useEffect(() => () => api.close(), [api]);

  const leave = () => {
    // Best effort: where there is no network, the gateway ends it by itself, and here it ends in any case.
    api.mutate(EndSessionDocument, { input: { key: crypto.randomUUID() } }).catch(() => undefined);
    onEnd();
  };
  const keep = () => void api.query(KioskSessionDocument, {}).catch(() => undefined);
  const [endsAt] = useState(() => endOf(session.endsAt, Date.now()));
  const left = useIdle({ seconds: session.idleSeconds, endsAt, onTouch: keep, onOver: leave });

  const key: MemberKey | null = member === null ? memberKeyOf(who) : { number: member.number };
  return (
    <Provider value={api.client}>
      <SessionHead greeting={session.greeting} secondsLeft={left} settings={settings} onLeave={leave} />
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
          agreed={props.agreed}
          device={props.device}
          currency={props.currency}
          outbox={props.outbox}
        />
      )}
    </Provider>
  );
}

/** What to call when the token is refused; nothing once this session is gone: a late answer must not end the next one. */
function useLast(call: () => void) {
  const last = useRef(call);
  useEffect(() => {
    last.current = call;
    return () => {
      last.current = () => undefined;
    };
  });
  return last;
}

/** By a clock that is out by hours a session would be over as it begins: then the gateway alone says when it ends. */
function endOf(endsAt: string, now: number): number {
  const left = Date.parse(endsAt) - now;
  return left > 0 && left <= LIFE_MAX_MS ? now + left : Number.POSITIVE_INFINITY;
}
