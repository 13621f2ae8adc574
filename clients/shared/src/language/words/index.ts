import type { FailureKind } from "../../api/failure";
import type { Connection } from "../../live/liveMember";
import type { Theme } from "../../look/theme";
import type { Channel, OfferKind, OfferState, OrderState } from "../../generated/graphql";
import { catalogue } from "../Language";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

/** The words that all screens share. Numbers come formatted, except where their form decides the word's. */
export interface Words {
  points(count: number): string;
  status: {
    title: string;
    missing(points: string, tier: string): string;
    top: string;
    progress(tier: string): string;
    before(day: string): string;
    until(day: string): string;
    pending(points: string): string;
    held(points: string): string;
    expiring(points: string, day: string): string;
    benefits: string;
    since(day: string): string;
    changed(points: string, tier: string): string;
  };
  connection: Record<Connection, string> & { asOf(time: string): string };
  activity: { empty: string; more: string; why: string; balance(points: string): string; nothing: string };
  offer: {
    why: string;
    activate: string;
    code: string;
    until(day: string): string;
    usesLeft(count: number): string;
    terms: string;
    states: Record<OfferState, string>;
    refuse: string;
    refused: string;
    empty: string;
    off(share: string): string;
    atMost(money: string): string;
    factor(times: string): string;
    bonus(points: string): string;
    kinds: Record<OfferKind, string>;
  };
  order: {
    states: Record<OrderState, string>;
    number(number: string): string;
    for(name: string): string;
    appointment(moment: string): string;
    code: string;
    track: string;
    quantity(count: number): string;
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
