import { catalogue } from "@carillon/shared/language/Language";

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
    pay: string;
    refund: string;
    other: string;
    loading: string;
    lines(count: number): string;
  };
  show: string;
  outcome: {
    waiting: string;
    paid(points: string): string;
    refunded(points: string): string;
    seen(count: number, milliseconds: string): string;
    behind: string;
    gift(title: string): string;
  };
  version(version: string): string;
  nobody: string;
  none: { title: string; text: string };
  failed: string;
}

export const useDemoWords = catalogue<DemoWords>({ en, fr, ar });
