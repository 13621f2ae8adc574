import { useEffect, useRef, useState } from "react";

const WARNED_SECONDS = 15;
const KEEP_EVERY_MS = 10_000;

interface IdleOptions {
  readonly seconds: number;
  /** The end that activity does not extend, in milliseconds since the epoch. */
  readonly endsAt?: number;
  /** Called on activity, at most every 10 s, to keep the gateway's session alive. */
  readonly onTouch?: () => void;
  readonly onOver: () => void;
}

/** Calls `onOver` after `seconds` without activity. Returns the seconds left in the last 15 s, else null. */
export function useIdle({ seconds, endsAt, onTouch, onOver }: IdleOptions): number | null {
  const [left, setLeft] = useState<number | null>(null);
  const use = useRef({ onTouch, onOver });
  use.current = { onTouch, onOver };

  useEffect(() => {
    let touched = Date.now();
    let kept = touched;
    const look = () => {
      const end = Math.min(touched + seconds * 1_000, endsAt ?? Number.POSITIVE_INFINITY);
      const remaining = Math.ceil((end - Date.now()) / 1_000);
      setLeft(remaining <= WARNED_SECONDS ? Math.max(0, remaining) : null);
      if (remaining <= 0) use.current.onOver();
    };
    const touch = () => {
      touched = Date.now();
      look();
      if (touched - kept < KEEP_EVERY_MS) return;
      kept = touched;
      use.current.onTouch?.();
    };
    const timer = window.setInterval(look, 500);
    document.addEventListener("pointerdown", touch, { capture: true });
    document.addEventListener("keydown", touch, { capture: true });
    return () => {
      window.clearInterval(timer);
      document.removeEventListener("pointerdown", touch, { capture: true });
      document.removeEventListener("keydown", touch, { capture: true });
    };
  }, [seconds, endsAt]);

  return left;
}
