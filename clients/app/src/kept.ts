/** What the app keeps on the phone, to be read where there is no network. The pass is never among it. */
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

/** The last state of who is signed in; of whoever was, while that is not known. */
export function readState(identity: string | null): KeptState | undefined {
  const kept = read<KeptState & { identity: string }>("state");
  return identity === null || kept?.identity === identity ? kept : undefined;
}

export function keepState(identity: string, { member, entries, older, asOf }: KeptState): void {
  const isCut = entries.length > ENTRIES_MAX;
  // What is cut off can be had again only from the start: the mark of the older page would leave a gap.
  const shown = { entries: entries.slice(0, ENTRIES_MAX), older: isCut ? null : older };
  shelf.write("state", JSON.stringify({ identity, member, asOf, ...shown }));
}

/** The last answer of a query, of this member and no other. */
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

/** What an older build has kept in another form is not worth a crash: it is dropped. */
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
