import { expect, test } from "vitest";

import type { EntryFragment, MemberStateFragment } from "../src/generated/graphql";
import { laterState, mergeEntries } from "../src/live/merge";

const entry = (id: string, version: number, label = id) => ({ id, version, label }) as EntryFragment;
const member = (id: string, version: number) => ({ id, version }) as MemberStateFragment;

test("a state older than the shown one is ignored", () => {
  const shown = member("m", 7);
  expect(laterState(shown, member("m", 6))).toBe(shown);
  expect(laterState(shown, member("m", 8)).version).toBe(8);
});

test("the same version replaces the shown one, because it may be in another language", () => {
  const received = member("m", 7);
  expect(laterState(member("m", 7), received)).toBe(received);
});

test("another member replaces the shown one, whatever its version", () => {
  expect(laterState(member("m", 7), member("n", 1)).id).toBe("n");
});

test("entries are merged by id, newest first, and a received one replaces the shown one", () => {
  const page = [entry("c", 3), entry("b", 2), entry("a", 1)];
  const received = [entry("d", 4), entry("c", 3, "received again")];
  const shown = mergeEntries(page, received);
  expect(shown.map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
  expect(shown[1]?.label).toBe("received again");
});

test("an older page is appended, and the ledger's order within a version is preserved", () => {
  const shown = mergeEntries([entry("c2", 3), entry("c1", 3)], [entry("b", 2), entry("a", 1)]);
  expect(shown.map(({ id }) => id)).toEqual(["c2", "c1", "b", "a"]);
});

test("merging no entries returns the same list", () => {
  const shown = [entry("a", 1)];
  expect(mergeEntries(shown, [])).toBe(shown);
});
