import { expect, test } from "vitest";

import { Wedge } from "../src/scan/wedge";

function type(wedge: Wedge, text: string, gap: number, at = 0): number {
  for (const key of text) wedge.take(key, (at += gap));
  return at;
}

test("a burst of keys ended by Enter is a scan", () => {
  const wedge = new Wedge();
  const at = type(wedge, "CP1.aB-7", 8);
  expect(wedge.take("Enter", at + 8)).toEqual({ kind: "scanned", text: "CP1.aB-7" });
});

test("a short delay does not break a burst", () => {
  const wedge = new Wedge();
  const at = type(wedge, "540871", 8);
  const end = type(wedge, "6941", 8, at + 150);
  expect(wedge.take("Enter", end + 8)).toEqual({ kind: "scanned", text: "5408716941" });
});

test("slow typing is not a scan, however long", () => {
  const wedge = new Wedge();
  const at = type(wedge, "5408716941", 120);
  expect(wedge.take("Enter", at + 120).kind).not.toBe("scanned");
});

test("keys typed before a burst are not part of the scan", () => {
  const wedge = new Wedge();
  const at = type(wedge, "ab", 200);
  const end = type(wedge, "12345678", 5, at + 300);
  expect(wedge.take("Enter", end + 5)).toEqual({ kind: "scanned", text: "12345678" });
});

test("Shift does not break a burst", () => {
  const wedge = new Wedge();
  let at = 0;
  for (const key of ["Shift", "C", "Shift", "P", "1", ".", "x"]) wedge.take(key, (at += 5));
  expect(wedge.take("Enter", at + 5)).toEqual({ kind: "scanned", text: "CP1.x" });
});

test("a short burst, or one with a late Enter, is not a scan", () => {
  const wedge = new Wedge();
  expect(wedge.take("Enter", type(wedge, "123", 5) + 5).kind).not.toBe("scanned");
  expect(wedge.take("Enter", type(wedge, "12345678", 5, 1_000) + 400).kind).not.toBe("scanned");
});

test("consecutive scans are separate", () => {
  const wedge = new Wedge();
  const at = type(wedge, "11111111", 5);
  wedge.take("Enter", at + 5);
  const end = type(wedge, "22222222", 5, at + 10);
  expect(wedge.take("Enter", end + 5)).toEqual({ kind: "scanned", text: "22222222" });
});
