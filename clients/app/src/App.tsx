import { type ReactNode, useEffect, useState } from "react";

import type { Api } from "@carillon/shared/api/api";
import { useWords } from "@carillon/shared/language/words";
import { loadOwnMember } from "@carillon/shared/live/ownMember";
import { type FollowedMember, useLiveMember } from "@carillon/shared/live/useLiveMember";
import type { MemberStateFragment } from "@carillon/shared/generated/graphql";
import { Bell } from "@carillon/shared/parts/Bell";
import { Fault } from "@carillon/shared/parts/Fault";
import { PagedActivity } from "@carillon/shared/parts/PagedActivity";
import { StatusCard } from "@carillon/shared/parts/StatusCard";
import { Toasts } from "@carillon/shared/parts/Toasts";
import type { MemberSession } from "@carillon/shared/screen/MemberScreen";
import { useProgramme } from "@carillon/shared/screen/useProgramme";

import { cacheState, readCachedState } from "./offlineCache";
import { OffersTab } from "./OffersTab";
import { OrdersTab } from "./OrdersTab";
import { PassCard } from "./PassCard";
import { SettingsSheet } from "./SettingsSheet";
import { Tabs } from "./Tabs";
import { type Tab, useAppWords } from "./words";

const load = (api: Api) => loadOwnMember(api);

export function App({ session }: { session: MemberSession }) {
  const { identity, api, settings } = session;
  const words = useWords();
  const [tab, setTab] = useState<Tab>("card");
  const [cached] = useState(() => readCachedState(identity));
  const following = useLiveMember(api, { load, ...(cached !== undefined && { initial: cached }) });
  const programme = useProgramme(settings.storage);
  useStateCache(identity, following);
  const { member, problem, notices } = following.state;
  useEffect(() => {
    document.title = programme?.name ?? "Carillon";
  }, [programme]);
  return (
    <div className="phone">
      <Head session={session} title={programme?.name ?? "Carillon"} />
      <main className="phone-main" key={tab} tabIndex={0}>
        {member === null ? (
          <div aria-busy={problem === null} aria-label={words.loading}>
            {problem !== null && <Fault failure={problem} />}
          </div>
        ) : (
          <TabContent api={api} tab={tab} following={following} member={member} />
        )}
      </main>
      <Tabs current={tab} onChoose={setTab} />
      <Toasts notices={notices} />
    </div>
  );
}

interface TabContentProps {
  readonly api: Api;
  readonly tab: Tab;
  readonly following: FollowedMember;
  readonly member: MemberStateFragment;
}

function TabContent({ api, tab, following: { live, state }, member }: TabContentProps) {
  const words = useAppWords();
  const status = <StatusCard member={member} connection={state.connection} asOf={state.asOf} />;
  const below: Record<Tab, ReactNode> = {
    card: <PassCard api={api} number={member.number} isOffline={state.connection === "offline"} />,
    offers: <OffersTab member={member} live={live} />,
    activity: <PagedActivity api={api} live={live} state={state} />,
    orders: <OrdersTab member={member} />,
  };
  return (
    <>
      <h1 className="hidden-visually">{words.tabs[tab]}</h1>
      {status}
      {below[tab]}
    </>
  );
}

function Head({ session, title }: { session: MemberSession; title: string }) {
  const words = useAppWords();
  const [isOpen, setOpen] = useState(false);
  return (
    <header className="phone-head">
      <p className="phone-brand">
        <Bell />
        {title}
      </p>
      <button type="button" className="close" aria-label={words.settings} onClick={() => setOpen(true)}>
        <svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true">
          <path d="M3 6h8M15 6h2M3 14h2M9 14h8" strokeLinecap="round" />
          <circle cx="13" cy="6" r="2" />
          <circle cx="7" cy="14" r="2" />
        </svg>
      </button>
      {isOpen && <SettingsSheet session={session} onClose={() => setOpen(false)} />}
    </header>
  );
}

/** Caches each state that is shown, for use offline. */
function useStateCache(identity: string | null, { state: { member, entries, older, asOf } }: FollowedMember): void {
  useEffect(() => {
    if (identity === null || member === null || entries === null || asOf === null) return;
    cacheState(identity, { member, entries, older, asOf });
  }, [identity, member, entries, older, asOf]);
}
