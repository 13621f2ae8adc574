import type { EntryFragment, MemberStateFragment } from "../generated/graphql";

/** The later of two states of a member. What was once shown never goes back. */
export function later(shown: MemberStateFragment | null, told: MemberStateFragment): MemberStateFragment {
  return shown !== null && shown.id === told.id && shown.version > told.version ? shown : told;
}

/** Entries by id, the newest first, as the ledger has them: whichever way an entry came, it is there once. */
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
  // Within a version the ledger's order is kept: sorting is stable, and both sources have it.
  return all.sort((a, b) => b.version - a.version);
}
