import { catalogue } from "@carillon/shared/language/Language";
import type { Message } from "@carillon/shared/language/message";

import type { ScreenName } from "../frames";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

export interface DemoWords {
  sentence: string;
  member: string;
  screens: Record<ScreenName, string>;
  playground: string;
  open: string;
  till: {
    title: string;
    lead: string;
    total: string;
    receipt: string;
    pay: string;
    refund: string;
    other: string;
    loading: string;
    lines: Message<{ count: number }>;
  };
  scanner: {
    field: string;
    read: string;
    pass: string;
    voucher: string;
    known: Message<{ number: string; tier: string; points: number }>;
    unknown: string;
    used: Message<{ title: string }>;
    worth: Message<{ title: string; money: string }>;
  };
  show: string;
  outcome: {
    waiting: string;
    paid: Message<{ points: number }>;
    refunded: Message<{ points: number }>;
    seen: Message<{ count: number; milliseconds: number }>;
    behind: string;
    gift: Message<{ title: string }>;
  };
  version: Message<{ version: number }>;
  nobody: string;
  none: { title: string; text: string };
  failed: string;
}

export const useDemoWords = catalogue<DemoWords>({ en, fr, ar });
