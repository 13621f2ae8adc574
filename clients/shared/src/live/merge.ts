import type { EntryFragment, MemberStateFragment } from "../generated/graphql";

/** The state with the higher version, so that the screen never goes back; another member's state always wins. */
export function laterState(shown: MemberStateFragment | null, received: MemberStateFragment): MemberStateFragment {
  return shown !== null && shown.id === received.id && shown.version > received.version ? shown : received;
}

/** Merges entries by id, newest first. A received entry replaces the shown one. */
export function mergeEntries(shown: readonly EntryFragment[], received: readonly EntryFragment[]): readonly EntryFragment[] {
  if (received.length === 0) return shown;
  const known = new Map(shown.map((entry, index) => [entry.id, index]));
  const all = [...shown];
  for (const entry of received) {
    const index = known.get(entry.id);
    if (index === undefined) {
      known.set(entry.id, all.length);
      all.push(entry);
    } else {
      all[index] = entry;
    }
  }
  // Both lists are in the ledger's order, and the sort is stable: that order remains within a version.
  return all.sort((a, b) => b.version - a.version);
}
