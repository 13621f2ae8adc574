import { catalogue } from "@carillon/shared/language/Language";
import type { Message } from "@carillon/shared/language/message";

import type { Identifier } from "../scan/identifier";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

export interface KioskWords {
  device: {
    title: string;
    lead: string;
    code: string;
    enrol: string;
    noCode: string;
    managerNeeded: string;
    /** The name of a tablet that is tried. */
    tried: string;
  };
  attract: {
    lead: string;
    scan: string;
    type: string;
    camera: string;
    join: string;
    ways: Record<"number" | "phone" | "email", string>;
    whichWay: string;
    begin: string;
    opening: string;
    passAway: string;
  };
  camera: { title: string; starting: string; missing: string; refused: string };
  greet: {
    hello: Message<{ name: string }>;
    digits: string;
    digitsNote: string;
    confirm: string;
    away: string;
    awayLead: string;
    known: Record<Identifier["kind"], string>;
  };
  session: {
    hello: Message<{ name: string }>;
    leave: string;
    idle: Message<{ seconds: number }>;
    stay: string;
    offers: string;
    use: string;
    used: string;
  };
  earn: {
    title: string;
    visit: string;
    visited: string;
    purchase: string;
    amount: string;
    receipt: string;
    receiptNote: string;
    waits: Message<{ receipt: string }>;
    record: string;
    erase: string;
    noted: string;
    notedAway: string;
    counted: string;
    countedPoints: Message<{ points: number }>;
    gift: Message<{ title: string }>;
  };
  enrol: {
    title: string;
    firstName: string;
    contact: string;
    language: string;
    marketing: Record<"phone" | "email", string>;
    personalisation: string;
    join: string;
    back: string;
    welcome: string;
    number: string;
    photo: string;
    toStatus: string;
  };
  outbox: {
    waiting: Message<{ count: number }>;
    clerk: Message<{ count: number }>;
    title: string;
    lead: string;
    settled: string;
    types: Record<string, string>;
    otherTablet: string;
    kept: string;
  };
}

export const useKioskWords = catalogue<KioskWords>({ en, fr, ar });
