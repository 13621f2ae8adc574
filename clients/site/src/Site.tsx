import { type ReactNode, useEffect, useRef } from "react";

import type { Api } from "@carillon/shared/api/api";
import type { EntryFragment, MemberStateFragment } from "@carillon/shared/generated/graphql";
import { useWords } from "@carillon/shared/language/words";
import type { LiveMember, LiveState } from "@carillon/shared/live/liveMember";
import { loadOwnMember } from "@carillon/shared/live/ownMember";
import { useLiveMember } from "@carillon/shared/live/useLiveMember";
import { Fault } from "@carillon/shared/parts/Fault";
import { Toasts } from "@carillon/shared/parts/Toasts";
import type { MemberSession } from "@carillon/shared/screen/MemberScreen";
import { type Programme, useProgramme } from "@carillon/shared/screen/useProgramme";

import { Header } from "./Header";
import { HistoryPage } from "./pages/HistoryPage";
import { HomePage } from "./pages/HomePage";
import { OffersPage } from "./pages/OffersPage";
import { OrdersPage } from "./pages/OrdersPage";
import { ProfilePage } from "./pages/ProfilePage";
import { RewardsPage } from "./pages/RewardsPage";
import { type Route, useRoute } from "./routes";
import { useSiteWords } from "./words";

/** The props of every page. */
export interface PageProps {
  readonly api: Api;
  readonly live: LiveMember;
  readonly state: LiveState;
  readonly member: MemberStateFragment;
  readonly entries: readonly EntryFragment[];
  readonly programme: Programme | null;
}

const PAGES: Readonly<Record<Route, (props: PageProps) => ReactNode>> = {
  home: HomePage,
  offers: OffersPage,
  rewards: RewardsPage,
  orders: OrdersPage,
  history: HistoryPage,
  profile: ProfilePage,
};

const load = (api: Api) => loadOwnMember(api);

export function Site({ session }: { session: MemberSession }) {
  const { api, settings } = session;
  const words = useWords();
  const route = useRoute();
  const { live, state } = useLiveMember(api, { load });
  const programme = useProgramme(settings.storage);
  const main = useMainFocus(route);
  useTitle(route, programme);
  const Page = PAGES[route];
  const { member, entries, problem } = state;
  return (
    <>
      <Header session={session} route={route} programme={programme} onSkip={() => main.current?.focus()} />
      <main className="page" ref={main} tabIndex={-1}>
        {member !== null && entries !== null ? (
          <Page api={api} live={live} state={state} member={member} entries={entries} programme={programme} />
        ) : (
          <div aria-busy={problem === null} aria-label={words.loading}>
            {problem !== null && <Fault failure={problem} />}
          </div>
        )}
      </main>
      <Toasts notices={state.notices} />
    </>
  );
}

/** On a change of page, scrolls to the top and moves the focus to the page for screen readers. */
function useMainFocus(route: Route) {
  const main = useRef<HTMLElement>(null);
  const last = useRef(route);
  useEffect(() => {
    if (last.current === route) return;
    last.current = route;
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [route]);
  return main;
}

function useTitle(route: Route, programme: Programme | null): void {
  const words = useSiteWords();
  useEffect(() => {
    document.title = [words.routes[route], programme?.name].filter(Boolean).join(" · ");
  }, [words, route, programme]);
}
