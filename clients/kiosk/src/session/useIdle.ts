import { useEffect, useRef, useState } from "react";

const WARNING_SECONDS = 15;
const REPORT_EVERY_MS = 10_000;

interface IdleOptions {
  readonly seconds: number;
  /** The end that activity does not extend, in milliseconds since the epoch. */
  readonly endsAt?: number;
  /** Called on activity, at most every 10 s, to keep the gateway's session alive. */
  readonly onActivity?: () => void;
  readonly onTimeout: () => void;
}

/** Calls `onTimeout` after `seconds` without activity. Returns the seconds left in the last 15 s, else null. */
export function useIdle({ seconds, endsAt, onActivity, onTimeout }: IdleOptions): number | null {
  const [left, setLeft] = useState<number | null>(null);
  const callbacks = useRef({ onActivity, onTimeout });
  callbacks.current = { onActivity, onTimeout };

  useEffect(() => {
    let lastActivity = Date.now();
    let lastReport = lastActivity;
    const update = () => {
      const end = Math.min(lastActivity + seconds * 1_000, endsAt ?? Number.POSITIVE_INFINITY);
      const remaining = Math.ceil((end - Date.now()) / 1_000);
      setLeft(remaining <= WARNING_SECONDS ? Math.max(0, remaining) : null);
      if (remaining <= 0) callbacks.current.onTimeout();
    };
    const recordActivity = () => {
      lastActivity = Date.now();
      update();
      if (lastActivity - lastReport < REPORT_EVERY_MS) return;
      lastReport = lastActivity;
      callbacks.current.onActivity?.();
    };
    const timer = window.setInterval(update, 500);
    document.addEventListener("pointerdown", recordActivity, { capture: true });
    document.addEventListener("keydown", recordActivity, { capture: true });
    return () => {
      window.clearInterval(timer);
      document.removeEventListener("pointerdown", recordActivity, { capture: true });
      document.removeEventListener("keydown", recordActivity, { capture: true });
    };
  }, [seconds, endsAt]);

  return left;
}
