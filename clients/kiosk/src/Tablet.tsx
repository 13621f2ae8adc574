import { useRef, useState, useSyncExternalStore } from "react";

import type { Api } from "@carillon/shared/api/api";
import { failureOf } from "@carillon/shared/api/failure";
import type { ConsentInput } from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import { sentenceOf } from "@carillon/shared/parts/Fault";
import type { Settings } from "@carillon/shared/screen/settings";
import { useProgramme } from "@carillon/shared/screen/useProgramme";

import { Attract } from "./Attract";
import type { Device } from "./device/device";
import { EnrolMember } from "./enrol/EnrolMember";
import type { Outbox } from "./outbox/outbox";
import { OutboxBar } from "./outbox/OutboxBar";
import { useCurrency } from "./programme";
import { scanned, type Who } from "./scan/who";
import { useWedge } from "./scan/useWedge";
import { Away } from "./session/Away";
import { type Opened, openSession } from "./session/open";
import { Session } from "./session/Session";
import { useKioskWords } from "./words";

/** The state of one person's use of the tablet; dropped when it ends. */
type Visit =
  | { readonly kind: "session"; readonly opened: Opened; readonly who: Who; readonly agreed: readonly ConsentInput[] | null }
  | { readonly kind: "away"; readonly who: Who };

interface TabletProps {
  readonly api: Api;
  readonly device: Device;
  readonly settings: Settings;
  readonly outbox: Outbox;
}

export function Tablet({ api, device, settings, outbox }: TabletProps) {
  const words = useKioskWords();
  const shared = useWords();
  const programme = useProgramme(settings.shelf);
  const currency = useCurrency(programme);
  const { waiting } = useSyncExternalStore(outbox.subscribe, outbox.snapshot);
  const [visit, setVisit] = useState<Visit | null>(null);
  const [isEnrolling, setEnrolling] = useState(false);
  const [isOpening, setOpening] = useState(false);
  const [message, setMessage] = useState<string | null>(null);
  const [isConfirmed, setConfirmed] = useState(false);
  const turn = useRef(0);

  const end = () => {
    turn.current += 1;
    setVisit(null);
    setConfirmed(false);
    setEnrolling(false);
    setMessage(null);
    window.history.replaceState(null, "", window.location.pathname);
  };

  const open = async (who: Who, agreed: readonly ConsentInput[] | null = null) => {
    end();
    const mine = turn.current;
    setOpening(true);
    try {
      const opening = await openSession(api, who);
      if (mine !== turn.current) return;
      if (opening.kind === "refused") setMessage(opening.message);
      else {
        setConfirmed(opening.opened.session.confirmed);
        setVisit({ kind: "session", opened: opening.opened, who, agreed });
      }
    } catch (error) {
      if (mine !== turn.current) return;
      const failure = failureOf(error);
      if (failure.kind !== "offline" && failure.kind !== "unavailable") setMessage(sentenceOf(failure, shared));
      else if (who.kind === "pass") setMessage(words.attract.passAway);
      else setVisit({ kind: "away", who });
    } finally {
      setOpening(false);
    }
  };

  useWedge((text) => void open(scanned(text)));

  const screen = visit !== null ? (isConfirmed ? "session" : "greet") : isEnrolling ? "enrol-member" : "attract";
  return (
    <div className="kiosk" data-screen={screen} data-outbox={waiting}>
      {visit?.kind === "session" && (
        <Session
          key={visit.opened.session.id}
          opened={visit.opened}
          who={visit.who}
          agreed={visit.agreed}
          locale={api.locale}
          device={device}
          currency={currency}
          settings={settings}
          outbox={outbox}
          onConfirmed={() => setConfirmed(true)}
          onEnd={end}
        />
      )}
      {visit?.kind === "away" && (
        <Away who={visit.who} device={device} currency={currency} outbox={outbox} onEnd={end} />
      )}
      {visit === null && isEnrolling && (
        <EnrolMember
          device={device}
          onBack={end}
          onEnrolled={(number, agreed) => void open({ kind: "number", text: number }, agreed)}
        />
      )}
      {visit === null && !isEnrolling && (
        <Attract
          settings={settings}
          name={programme?.name ?? ""}
          isOpening={isOpening}
          message={message}
          onWho={(who) => void open(who)}
          onScan={(text) => void open(scanned(text))}
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
