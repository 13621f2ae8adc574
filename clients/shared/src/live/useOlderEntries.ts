import { useState } from "react";

import type { Api } from "../api/api";
import { type Failure, failureOf } from "../api/failure";
import type { LiveMember } from "./liveMember";
import { loadOwnMember } from "./ownMember";

/** Loads the next page of older entries on demand. */
export function useOlderEntries(api: Api, live: LiveMember, older: string | null) {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const loadMore = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const page = await loadOwnMember(api, older);
      live.addOlder(page.entries, page.older);
    } catch (error) {
      setFailure(failureOf(error));
    }
    setBusy(false);
  };
  return { isBusy, failure, loadMore: () => void loadMore() };
}
