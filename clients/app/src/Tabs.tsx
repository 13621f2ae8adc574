import { type Tab, useAppWords } from "./words";

const ICONS: Readonly<Record<Tab, string>> = {
  card: "M3 6.5A1.5 1.5 0 0 1 4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5zM3 10h18M7 15h4",
  offers: "M4 4h7l9 9-7 7-9-9zM8 8h.01",
  activity: "M4 12h4l2.5-6 4 12 2.5-6H20",
  orders: "M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8",
};

export function Tabs({ current, onChoose }: { current: Tab; onChoose: (tab: Tab) => void }) {
  const words = useAppWords();
  return (
    <nav className="tabs" aria-label={words.navigation}>
      {(Object.keys(ICONS) as Tab[]).map((tab) => (
        <button key={tab} type="button" aria-current={tab === current ? "page" : undefined} onClick={() => onChoose(tab)}>
          <svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true">
            <path d={ICONS[tab]} strokeLinecap="round" strokeLinejoin="round" />
          </svg>
          {words.tabs[tab]}
        </button>
      ))}
    </nav>
  );
}
