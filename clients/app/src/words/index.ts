import { catalogue } from "@carillon/shared/language/Language";
import type { Message } from "@carillon/shared/language/message";

import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

export type Tab = "card" | "offers" | "activity" | "orders";

export interface AppWords {
  tabs: Record<Tab, string>;
  navigation: string;
  pass: {
    title: string;
    show: string;
    digits: string;
    seconds: Message<{ count: number }>;
    away: string;
    waiting: string;
    number: string;
  };
  settings: string;
  orders: string;
  noOrders: string;
}

export const useAppWords = catalogue<AppWords>({ en, fr, ar });
