import { PagedActivity } from "@carillon/shared/parts/PagedActivity";

import type { PageProps } from "../Site";
import { useSiteWords } from "../words";

export function HistoryPage({ api, live, state }: PageProps) {
  const words = useSiteWords();
  return (
    <>
      <div className="stack">
        <h1>{words.routes.history}</h1>
        <p className="quiet">{words.history.lead}</p>
      </div>
      <PagedActivity api={api} live={live} state={state} />
    </>
  );
}
