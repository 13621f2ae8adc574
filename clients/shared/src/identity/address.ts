/** What an address may bring along in its fragment, such as `#token=…&lang=fr`. Routes begin with `#/` and are left alone. */
const NAMES = ["token", "member", "lang", "theme", "code"] as const;

export type Brought = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

/**
 * Takes it, and strips it from the address and from the history: a token is not for whoever looks at the screen. Where
 * a route was left for it, the address is the route's again.
 */
export function takeFromAddress(left = ""): Brought {
  const { hash, pathname, search } = window.location;
  if (hash.length < 2 || hash.startsWith("#/")) return {};
  const parameters = new URLSearchParams(hash.slice(1));
  const brought: Partial<Record<(typeof NAMES)[number], string>> = {};
  for (const name of NAMES) {
    const value = parameters.get(name);
    if (value !== null && value !== "") brought[name] = value;
  }
  if (Object.keys(brought).length > 0) {
    const route = left.startsWith("#/") ? left : "";
    window.history.replaceState(window.history.state, "", pathname + search + route);
  }
  return brought;
}

/** Calls with what the address brings now, and whenever another fragment is put into it. */
export function followAddress(use: (brought: Brought) => void): () => void {
  const look = (left?: string) => {
    const brought = takeFromAddress(left);
    if (Object.keys(brought).length > 0) use(brought);
  };
  const change = ({ oldURL }: HashChangeEvent) => look(new URL(oldURL).hash);
  look();
  window.addEventListener("hashchange", change);
  return () => window.removeEventListener("hashchange", change);
}
