/** The app's offline cache in `localStorage`. It never contains the pass. */
import type { EntryFragment, MemberStateFragment } from "@carillon/shared/generated/graphql";
import { deviceStorage } from "@carillon/shared/identity/storage";

export interface CachedState {
  readonly member: MemberStateFragment;
  readonly entries: readonly EntryFragment[];
  readonly older: string | null;
  readonly asOf: number;
}

const ENTRIES_MAX = 40;
const PARTS = ["state", "offers", "orders"] as const;
type Part = (typeof PARTS)[number];

const storage = deviceStorage("app");

export function hasCachedState(): boolean {
  return storage.read("state") !== null;
}

/** The cached state of the signed-in member; while the identity is unknown (null), of the last one. */
export function readCachedState(identity: string | null): CachedState | undefined {
  const cached = read<CachedState & { identity: string }>("state");
  return identity === null || cached?.identity === identity ? cached : undefined;
}

export function cacheState(identity: string, { member, entries, older, asOf }: CachedState): void {
  const isCut = entries.length > ENTRIES_MAX;
  // The cursor belongs to the last entry before the cut: with it, the next page would leave a gap.
  const shown = { entries: entries.slice(0, ENTRIES_MAX), older: isCut ? null : older };
  storage.write("state", JSON.stringify({ identity, member, asOf, ...shown }));
}

/** The last data of a query for this member. */
export function readCachedQuery<Data>(part: Exclude<Part, "state">, number: string): Data | undefined {
  const cached = read<{ number: string; data: Data }>(part);
  return cached?.number === number ? cached.data : undefined;
}

export function cacheQuery(part: Exclude<Part, "state">, number: string, data: unknown): void {
  storage.write(part, JSON.stringify({ number, data }));
}

export function clearCache(): void {
  for (const part of PARTS) storage.write(part, null);
}

/** Deletes an entry that does not parse. */
function read<Value>(part: Part): Value | undefined {
  const text = storage.read(part);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Value;
  } catch {
    storage.write(part, null);
    return undefined;
  }
}
