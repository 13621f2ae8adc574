import { useEffect, useState } from "react";

import type { Api } from "@carillon/shared/api/api";
import { serverNow } from "@carillon/shared/api/serverClock";
import { PassDocument, PassUsedDocument } from "@carillon/shared/generated/graphql";
import { backoff, pause } from "@carillon/shared/live/backoff";

export interface Pass {
  readonly code: string;
  readonly digits: string;
  /** When it expires, by the phone's clock, in milliseconds since the epoch. */
  readonly until: number;
}

const RENEW_BEFORE_MS = 10_000;
const LIFETIME_MAX_MS = 120_000;
const LIFETIME_ASSUMED_MS = 50_000;

/**
 * Until when a new pass may be shown. If the phone's clock is so wrong that the pass would have expired already, or
 * would be valid for over two minutes, assumes 50 s, which is less than a pass's lifetime.
 */
export function endOf(expiresAt: string, now: number): number {
  const left = Date.parse(expiresAt) - now;
  return now + (left > 0 && left <= LIFETIME_MAX_MS ? left : LIFETIME_ASSUMED_MS);
}

/**
 * A valid pass, renewed before it expires, as soon as a till or tablet has used it, and when the page becomes visible or
 * online; null while there is none.
 */
export function usePass(api: Api): Pass | null {
  const [pass, setPass] = useState<Pass | null>(null);

  useEffect(() => {
    let timer: number | undefined;
    let isUnmounted = false;
    let attempt = 0;
    let lastRequest = 0;

    const renew = async () => {
      window.clearTimeout(timer);
      lastRequest += 1;
      const request = lastRequest;
      try {
        const sent = Date.now();
        const { pass: received } = await api.query(PassDocument, {});
        if (isUnmounted || request !== lastRequest) return;
        attempt = 0;
        const ahead = serverNow() - Date.now();
        const until = endOf(received.expiresAt, sent + ahead) - ahead;
        setPass({ code: received.code, digits: received.digits, until });
        schedule(Math.max(until - Date.now() - RENEW_BEFORE_MS, 1_000));
      } catch {
        if (isUnmounted || request !== lastRequest) return;
        schedule(backoff(attempt));
        attempt += 1;
      }
    };
    // Passes are not renewed while the page is hidden, but when it becomes visible.
    const schedule = (delay: number) => {
      timer = window.setTimeout(() => {
        if (document.visibilityState === "visible") void renew();
      }, delay);
    };
    const renewIfVisible = () => {
      if (document.visibilityState === "visible") void renew();
    };

    void renew();
    const following = new AbortController();
    void followUses(api, following.signal, () => void renew());
    document.addEventListener("visibilitychange", renewIfVisible);
    window.addEventListener("online", renewIfVisible);
    return () => {
      isUnmounted = true;
      following.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", renewIfVisible);
      window.removeEventListener("online", renewIfVisible);
    };
  }, [api]);

  useEffect(() => {
    if (pass === null) return undefined;
    const timer = window.setTimeout(() => setPass((shown) => (shown === pass ? null : shown)), pass.until - Date.now());
    return () => window.clearTimeout(timer);
  }, [pass]);

  return pass;
}

/** Calls `onUse` whenever a pass was used, and after each reconnection, when one may have been used, until aborted. */
async function followUses(api: Api, signal: AbortSignal, onUse: () => void): Promise<void> {
  let wasOpen = false;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const uses = api.follow(PassUsedDocument, {});
    const stop = () => void uses.return?.();
    signal.addEventListener("abort", stop);
    try {
      for await (const { errors } of uses) {
        if (signal.aborted || errors !== undefined) break;
        attempt = 0;
        // The first value of a subscription is null.
        if (wasOpen) onUse();
        wasOpen = true;
      }
    } catch {
      // The socket closed, which the member's live state shows: try again.
    } finally {
      signal.removeEventListener("abort", stop);
    }
    await pause(backoff(attempt), signal);
  }
}

/** Whole seconds until `until`, updated each second. */
export function useSecondsLeft(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1_000);
    return () => window.clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((until - now) / 1_000));
}
