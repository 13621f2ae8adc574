/** Parameters that the URL fragment may carry, such as `#token=…&lang=fr`. A fragment that begins with `#/` is a route. */
const NAMES = ["token", "member", "lang", "theme", "code"] as const;

export type Brought = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

/**
 * Reads the parameters and removes them from the address and the history, so that nobody can copy a token from the
 * address bar. If they replaced a route, restores it: `left` is the fragment before the change.
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

/** Calls `use` with the parameters of the present address, and again on each `hashchange` that carries some. */
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
