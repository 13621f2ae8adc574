import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";

import type { Api } from "../api/api";
import { LiveMember, type LiveOptions, type LiveState, type InitialState } from "./liveMember";

export interface FollowedMember {
  readonly live: LiveMember;
  readonly state: LiveState;
}

interface FollowOptions {
  /** Must be a stable function: a new one restarts the subscription. */
  readonly load: (api: Api) => Promise<InitialState>;
  readonly initial?: LiveOptions["initial"];
}

/**
 * The member's live state. A new `api` (another language or person) restarts the subscription, and the last state is
 * shown until the first answer.
 */
export function useLiveMember(api: Api, { load, initial }: FollowOptions): FollowedMember {
  const last = useRef<LiveOptions["initial"]>(initial);
  const live = useMemo(
    () =>
      new LiveMember({
        api,
        load: () => load(api),
        ...(last.current !== undefined && { initial: last.current }),
      }),
    [api, load],
  );
  useEffect(() => live.start(), [live]);
  const state = useSyncExternalStore(live.subscribe, live.snapshot);
  const { member, entries, older, asOf } = state;
  useEffect(() => {
    last.current = { member, entries, older, asOf };
  }, [member, entries, older, asOf]);
  return { live, state };
}
