import { expect, test } from "vitest";

import type { EntryFragment, MemberStateFragment } from "../src/generated/graphql";
import { later, merged } from "../src/live/merge";

const entry = (id: string, version: number, label = id) => ({ id, version, label }) as EntryFragment;
const member = (id: string, version: number) => ({ id, version }) as MemberStateFragment;

test("a state that is older than the one shown is not taken", () => {
  const shown = member("m", 7);
  expect(later(shown, member("m", 6))).toBe(shown);
  expect(later(shown, member("m", 8)).version).toBe(8);
});

test("the same version told again is taken: it may be told in another language", () => {
  const told = member("m", 7);
  expect(later(member("m", 7), told)).toBe(told);
});

test("another member is shown as it is, whatever its version", () => {
  expect(later(member("m", 7), member("n", 1)).id).toBe("n");
});

test("entries are there once, the newest first, whichever way they came", () => {
  const page = [entry("c", 3), entry("b", 2), entry("a", 1)];
  const told = [entry("d", 4), entry("c", 3, "told again")];
  const shown = merged(page, told);
  expect(shown.map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
  expect(shown[1]?.label).toBe("told again");
});

test("an older page goes below, and the ledger's order within a version is kept", () => {
  const shown = merged([entry("c2", 3), entry("c1", 3)], [entry("b", 2), entry("a", 1)]);
  expect(shown.map(({ id }) => id)).toEqual(["c2", "c1", "b", "a"]);
});

test("nothing told changes nothing", () => {
  const shown = [entry("a", 1)];
  expect(merged(shown, [])).toBe(shown);
});
