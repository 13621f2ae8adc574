import { useState } from "react";

import { type Failure, failureOf } from "@carillon/shared/api/failure";
import { useWords } from "@carillon/shared/language/words";
import { loadOwn } from "@carillon/shared/live/ownMember";
import { Activity } from "@carillon/shared/parts/Activity";
import { Button } from "@carillon/shared/parts/Button";
import { Fault } from "@carillon/shared/parts/Fault";

import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

export function HistoryPage({ api, live, state: { older }, entries }: PageProps) {
  const words = useWords();
  const siteWords = useSiteWords();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const more = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const page = await loadOwn(api, older);
      live.addOlder(page.entries, page.older);
    } catch (error) {
      setFailure(failureOf(error));
    }
    setBusy(false);
  };
  return (
    <>
      <div className="stack">
        <h1>{siteWords.routes.history}</h1>
        <p className="quiet">{siteWords.history.lead}</p>
      </div>
      <div className="panel panel-list">
        <Activity entries={entries} />
      </div>
      {failure !== null && <Fault failure={failure} />}
      {older !== null && (
        <Button look="plain" className="more" isBusy={isBusy} onClick={() => void more()}>
          {words.activity.more}
        </Button>
      )}
    </>
  );
}
