import { useRef, useState, useSyncExternalStore } from "react";

import type { Api } from "@carillon/shared/api/api";
import { failureOf } from "@carillon/shared/api/failure";
import type { ConsentInput } from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import { messageOf } from "@carillon/shared/parts/Fault";
import type { Settings } from "@carillon/shared/screen/settings";
import { useProgramme } from "@carillon/shared/screen/useProgramme";

import { Attract } from "./Attract";
import type { Device } from "./device/device";
import { EnrolMember } from "./enrol/EnrolMember";
import type { Outbox } from "./outbox/outbox";
import { OutboxBar } from "./outbox/OutboxBar";
import { useCurrency } from "./programme";
import { identifierOfScan, type Identifier } from "./scan/identifier";
import { useWedge } from "./scan/useWedge";
import { OfflineVisit } from "./session/OfflineVisit";
import { type OpenedSession, openSession } from "./session/openSession";
import { Session } from "./session/Session";
import { useKioskWords } from "./words";

/** The state of one person's use of the tablet; dropped when it ends. */
type Visit =
  | {
      readonly kind: "session";
      readonly opened: OpenedSession;
      readonly identifier: Identifier;
      readonly consents: readonly ConsentInput[] | null;
    }
  | { readonly kind: "offline"; readonly identifier: Identifier };

interface TabletProps {
  readonly api: Api;
  readonly device: Device;
  readonly settings: Settings;
  readonly outbox: Outbox;
}

export function Tablet({ api, device, settings, outbox }: TabletProps) {
  const words = useKioskWords();
  const shared = useWords();
  const programme = useProgramme(settings.storage);
  const currency = useCurrency(programme);
  const { waiting } = useSyncExternalStore(outbox.subscribe, outbox.snapshot);
  const [visit, setVisit] = useState<Visit | null>(null);
  const [isEnrolling, setEnrolling] = useState(false);
  const [isOpening, setOpening] = useState(false);
  const [message, setMessage] = useState<string | null>(null);
  const [isConfirmed, setConfirmed] = useState(false);
  const visitCount = useRef(0);

  const end = () => {
    visitCount.current += 1;
    setVisit(null);
    setConfirmed(false);
    setEnrolling(false);
    setMessage(null);
    window.history.replaceState(null, "", window.location.pathname);
  };

  const open = async (identifier: Identifier, consents: readonly ConsentInput[] | null = null) => {
    end();
    const started = visitCount.current;
    setOpening(true);
    try {
      const result = await openSession(api, identifier);
      if (started !== visitCount.current) return;
      if (result.kind === "refused") setMessage(result.message);
      else {
        setConfirmed(result.opened.session.confirmed);
        setVisit({ kind: "session", opened: result.opened, identifier, consents });
      }
    } catch (error) {
      if (started !== visitCount.current) return;
      const failure = failureOf(error);
      if (failure.kind !== "offline" && failure.kind !== "unavailable") setMessage(messageOf(failure, shared));
      else if (identifier.kind === "pass") setMessage(words.attract.passAway);
      else setVisit({ kind: "offline", identifier });
    } finally {
      setOpening(false);
    }
  };

  useWedge((text) => void open(identifierOfScan(text)));

  const screen = visit !== null ? (isConfirmed ? "session" : "greet") : isEnrolling ? "enrol-member" : "attract";
  return (
    <div className="kiosk" data-screen={screen} data-outbox={waiting}>
      {visit?.kind === "session" && (
        <Session
          key={visit.opened.session.id}
          opened={visit.opened}
          identifier={visit.identifier}
          consents={visit.consents}
          locale={api.locale}
          device={device}
          currency={currency}
          settings={settings}
          outbox={outbox}
          onConfirmed={() => setConfirmed(true)}
          onEnd={end}
        />
      )}
      {visit?.kind === "offline" && (
        <OfflineVisit identifier={visit.identifier} device={device} currency={currency} outbox={outbox} onEnd={end} />
      )}
      {visit === null && isEnrolling && (
        <EnrolMember
          device={device}
          onBack={end}
          onEnrolled={(number, consents) => void open({ kind: "number", text: number }, consents)}
        />
      )}
      {visit === null && !isEnrolling && (
        <Attract
          settings={settings}
          name={programme?.name ?? ""}
          isOpening={isOpening}
          message={message}
          onIdentify={(identifier) => void open(identifier)}
          onScan={(text) => void open(identifierOfScan(text))}
          onJoin={() => {
            end();
            setEnrolling(true);
          }}
        />
      )}
      <OutboxBar outbox={outbox} />
    </div>
  );
}
