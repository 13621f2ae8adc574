import { useEffect, useState } from "react";

import { useWords } from "../language/words";
import type { LiveNotice } from "../live/liveMember";
import { Cross } from "./Dialog";

const SHOWN_MAX = 3;
const SHOWN_MS = 7_000;

/** The latest notices, each shown for a few seconds and announced to screen readers. */
export function Toasts({ notices }: { notices: readonly LiveNotice[] }) {
  const [over, setOver] = useState<ReadonlySet<string>>(new Set());
  const dismiss = (id: string) => setOver((known) => new Set([...known, id]));
  const shown = notices.filter(({ id }) => !over.has(id)).slice(-SHOWN_MAX);
  return (
    <div className="toasts" role="status">
      {shown.map((notice) => (
        <Toast key={notice.id} notice={notice} onOver={() => dismiss(notice.id)} />
      ))}
    </div>
  );
}

function Toast({ notice, onOver }: { notice: LiveNotice; onOver: () => void }) {
  const words = useWords();
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = window.setTimeout(onOver, SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [isHeld]); // only hovering restarts the timer, not a new `onOver`
  return (
    <div className="toast" onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
      <p dir={notice.direction.toLowerCase()}>{notice.text}</p>
      <button type="button" className="close" aria-label={words.close} onClick={onOver}>
        <Cross />
      </button>
    </div>
  );
}
