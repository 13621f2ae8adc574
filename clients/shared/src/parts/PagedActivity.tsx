import type { Api } from "../api/api";
import { useWords } from "../language/words";
import type { LiveMember, LiveState } from "../live/liveMember";
import { useOlderEntries } from "../live/useOlderEntries";
import { Activity } from "./Activity";
import { Button } from "./Button";
import { Fault } from "./Fault";

/** The member's entries, with a button for older ones. Live updates add new ones on top. */
export function PagedActivity({ api, live, state }: { api: Api; live: LiveMember; state: LiveState }) {
  const words = useWords();
  const { isBusy, failure, loadMore } = useOlderEntries(api, live, state.older);
  return (
    <>
      <div className="panel panel-list">
        <Activity entries={state.entries ?? []} />
      </div>
      {failure !== null && <Fault failure={failure} />}
      {state.older !== null && (
        <Button look="plain" className="more" isBusy={isBusy} onClick={loadMore}>
          {words.activity.more}
        </Button>
      )}
    </>
  );
}
