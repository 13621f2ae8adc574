import { useEffect, useState } from "react";

import { useWords } from "../language/words";
import type { LiveNotice } from "../live/liveMember";
import { Cross } from "./Dialog";

const SHOWN_MAX = 3;
const SHOWN_MS = 7_000;

/** The latest notices, each shown for a few seconds and announced to screen readers. */
export function Toasts({ notices }: { notices: readonly LiveNotice[] }) {
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const dismiss = (id: string) => setDismissed((ids) => new Set([...ids, id]));
  const shown = notices.filter(({ id }) => !dismissed.has(id)).slice(-SHOWN_MAX);
  return (
    <div className="toasts" role="status">
      {shown.map((notice) => (
        <Toast key={notice.id} notice={notice} onDismiss={() => dismiss(notice.id)} />
      ))}
    </div>
  );
}

function Toast({ notice, onDismiss }: { notice: LiveNotice; onDismiss: () => void }) {
  const words = useWords();
  const [isHovered, setHovered] = useState(false);
  useEffect(() => {
    if (isHovered) return undefined;
    const timer = window.setTimeout(onDismiss, SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [isHovered]); // only hovering restarts the timer, not a new `onDismiss`
  return (
    <div className="toast" onPointerEnter={() => setHovered(true)} onPointerLeave={() => setHovered(false)}>
      <p dir={notice.direction.toLowerCase()}>{notice.text}</p>
      <button type="button" className="close" aria-label={words.close} onClick={onDismiss}>
        <Cross />
      </button>
    </div>
  );
}
