/** Parameters that the URL fragment may carry, such as `#token=…&lang=fr`. A fragment that begins with `#/` is a route. */
const NAMES = ["token", "member", "lang", "theme", "code"] as const;

export type AddressParameters = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

/**
 * Reads the parameters and removes them from the address and the history, so that nobody can copy a token from the
 * address bar. If they replaced a route, restores it; `previousHash` is the fragment before the change.
 */
export function takeAddressParameters(previousHash = ""): AddressParameters {
  const { hash, pathname, search } = window.location;
  if (hash.length < 2 || hash.startsWith("#/")) return {};
  const fragment = new URLSearchParams(hash.slice(1));
  const parameters: Partial<Record<(typeof NAMES)[number], string>> = {};
  for (const name of NAMES) {
    const value = fragment.get(name);
    if (value !== null && value !== "") parameters[name] = value;
  }
  if (Object.keys(parameters).length > 0) {
    const route = previousHash.startsWith("#/") ? previousHash : "";
    window.history.replaceState(window.history.state, "", pathname + search + route);
  }
  return parameters;
}

/** Calls `use` with the parameters of the current address, and again on each `hashchange` that carries some. */
export function followAddress(use: (parameters: AddressParameters) => void): () => void {
  const read = (previousHash?: string) => {
    const parameters = takeAddressParameters(previousHash);
    if (Object.keys(parameters).length > 0) use(parameters);
  };
  const change = ({ oldURL }: HashChangeEvent) => read(new URL(oldURL).hash);
  read();
  window.addEventListener("hashchange", change);
  return () => window.removeEventListener("hashchange", change);
}
