/** The app's offline cache in `localStorage`. It never contains the pass. */
import type { EntryFragment, MemberStateFragment } from "@carillon/shared/generated/graphql";
import { machineShelf } from "@carillon/shared/identity/storage";

export interface KeptState {
  readonly member: MemberStateFragment;
  readonly entries: readonly EntryFragment[];
  readonly older: string | null;
  readonly asOf: number;
}

const ENTRIES_MAX = 40;
const PARTS = ["state", "offers", "orders"] as const;
type Part = (typeof PARTS)[number];

const shelf = machineShelf("app");

export function hasKept(): boolean {
  return shelf.read("state") !== null;
}

/** The cached state of the signed-in member; while the identity is unknown (null), of the last one. */
export function readState(identity: string | null): KeptState | undefined {
  const kept = read<KeptState & { identity: string }>("state");
  return identity === null || kept?.identity === identity ? kept : undefined;
}

export function keepState(identity: string, { member, entries, older, asOf }: KeptState): void {
  const isCut = entries.length > ENTRIES_MAX;
  // The cursor belongs to the last entry before the cut: with it, the next page would leave a gap.
  const shown = { entries: entries.slice(0, ENTRIES_MAX), older: isCut ? null : older };
  shelf.write("state", JSON.stringify({ identity, member, asOf, ...shown }));
}

/** The last data of a query for this member. */
export function readAnswer<Data>(part: Exclude<Part, "state">, number: string): Data | undefined {
  const kept = read<{ number: string; data: Data }>(part);
  return kept?.number === number ? kept.data : undefined;
}

export function keepAnswer(part: Exclude<Part, "state">, number: string, data: unknown): void {
  shelf.write(part, JSON.stringify({ number, data }));
}

export function forget(): void {
  for (const part of PARTS) shelf.write(part, null);
}

/** Deletes an entry that does not parse. */
function read<Kept>(part: Part): Kept | undefined {
  const text = shelf.read(part);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Kept;
  } catch {
    shelf.write(part, null);
    return undefined;
  }
}
