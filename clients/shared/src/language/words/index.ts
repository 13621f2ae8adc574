import type { FailureKind } from "../../api/failure";
import type { Connection } from "../../live/liveMember";
import type { Theme } from "../../look/theme";
import type { Channel, OfferKind, OfferState, OrderState } from "../../generated/graphql";
import { catalogue } from "../Language";
import type { Message } from "../message";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

/** The words that all screens share. */
export interface Words {
  /** The word beside a number of points that stands on its own. */
  points: Message<{ points: number }>;
  pointsCounted: Message<{ points: number }>;
  status: {
    title: string;
    missing: Message<{ points: number; tier: string }>;
    top: string;
    progress: Message<{ tier: string }>;
    before: Message<{ day: string }>;
    until: Message<{ day: string }>;
    pending: Message<{ points: number }>;
    held: Message<{ points: number }>;
    expiring: Message<{ points: number; day: string }>;
    benefits: string;
    since: Message<{ day: string }>;
    changed: Message<{ points: number; tier: string }>;
  };
  connection: Record<Connection, string> & { asOf: Message<{ time: string }> };
  activity: { empty: string; more: string; why: string; balance: Message<{ points: number }>; nothing: string };
  offer: {
    why: string;
    activate: string;
    code: string;
    until: Message<{ day: string }>;
    usesLeft: Message<{ count: number }>;
    terms: string;
    states: Record<OfferState, string>;
    refuse: string;
    refused: string;
    empty: string;
    off: Message<{ share: string }>;
    atMost: Message<{ money: string }>;
    factor: Message<{ times: string }>;
    bonus: Message<{ points: number }>;
    kinds: Record<OfferKind, string>;
  };
  order: {
    states: Record<OrderState, string>;
    number: Message<{ number: string }>;
    for: Message<{ name: string }>;
    appointment: Message<{ moment: string }>;
    code: string;
    voucher: {
      title: string;
      show: string;
      worth: Message<{ money: string }>;
      until: Message<{ day: string }>;
      used: Message<{ moment: string }>;
      usedAt: Message<{ moment: string; store: string }>;
    };
    track: string;
    quantity: Message<{ count: number }>;
  };
  channels: Record<Channel, string>;
  failure: Record<FailureKind, string>;
  again: string;
  loading: string;
  close: string;
  language: string;
  theme: string;
  themes: Record<Theme, string>;
  skip: string;
  signIn: {
    title: string;
    issued: string;
    token: string;
    field: string;
    use: string;
    ended: string;
    invalid: string;
    search: string;
    unreachable: string;
    out: string;
    notMember: string;
  };
}

export const useWords = catalogue<Words>({ en, fr, ar });
