import type { EntryFragment, MemberStateFragment } from "../generated/graphql";

/** The state with the higher version, so that the screen never goes back; another member's state always wins. */
export function later(shown: MemberStateFragment | null, told: MemberStateFragment): MemberStateFragment {
  return shown !== null && shown.id === told.id && shown.version > told.version ? shown : told;
}

/** Merges entries by id, newest first. A received entry replaces the shown one. */
export function merged(shown: readonly EntryFragment[], told: readonly EntryFragment[]): readonly EntryFragment[] {
  if (told.length === 0) return shown;
  const known = new Map(shown.map((entry, place) => [entry.id, place]));
  const all = [...shown];
  for (const entry of told) {
    const place = known.get(entry.id);
    if (place === undefined) {
      known.set(entry.id, all.length);
      all.push(entry);
    } else {
      all[place] = entry;
    }
  }
  // Both lists are in the ledger's order, and the sort is stable: that order remains within a version.
  return all.sort((a, b) => b.version - a.version);
}
