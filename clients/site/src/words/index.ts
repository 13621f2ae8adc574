import type { ConsentPurpose, ContactChannel } from "@carillon/shared/generated/graphql";
import { catalogue } from "@carillon/shared/language/Language";

import type { Route } from "../routes";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

export interface SiteWords {
  navigation: string;
  routes: Record<Route, string>;
  hello(name: string): string;
  helloNobody: string;
  home: {
    points: string;
    available: string;
    pending: string;
    held: string;
    lifetime: string;
    expiring: string;
    expiringOn(day: string): string;
    noExpiry: string;
    tiers: string;
    yours: string;
    from(points: string): string;
    offers: string;
    recent: string;
    all: string;
  };
  rewards: {
    lead(points: string): string;
    category: string;
    every: string;
    reachable: string;
    categories: Record<string, string>;
    missing(points: string): string;
    stock(count: string): string;
    from(day: string): string;
    until(day: string): string;
    partner(name: string): string;
    choose: string;
    empty: string;
    more: string;
  };
  order: {
    title(reward: string): string;
    quantity: string;
    appointment: string;
    chooseAppointment: string;
    places(count: number): string;
    noAppointments: string;
    gift: string;
    recipient: string;
    email: string;
    message: string;
    delivery: string;
    name: string;
    line1: string;
    line2: string;
    postalCode: string;
    city: string;
    country: string;
    countryNote: string;
    store: string;
    cost(points: string): string;
    place: string;
    placed: string;
    placedNumber(number: string): string;
    toOrders: string;
  };
  orders: { empty: string; cancel: string; sure: string; keep: string; giveBack: string; steps: string };
  history: { lead: string };
  profile: {
    details: string;
    name: string;
    email: string;
    phone: string;
    birthDate: string;
    number: string;
    none: string;
    completion(ratio: string): string;
    consents: string;
    consentsLead: string;
    purposes: Record<ConsentPurpose, { title: string; text: string }>;
    contact: Record<ContactChannel, string>;
    history: string;
    noHistory: string;
    granted: string;
    withdrawn: string;
    preferences: string;
    preferencesLead: string;
    topics: Record<string, string>;
    add: string;
    save: string;
    saved: string;
  };
}

export const useSiteWords = catalogue<SiteWords>({ en, fr, ar });
