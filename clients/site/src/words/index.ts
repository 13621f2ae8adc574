import type { ConsentPurpose, ContactChannel } from "@carillon/shared/generated/graphql";
import { catalogue } from "@carillon/shared/language/Language";
import type { Message } from "@carillon/shared/language/message";

import type { Route } from "../routes";
import { ar } from "./ar";
import { en } from "./en";
import { fr } from "./fr";

export interface SiteWords {
  navigation: string;
  routes: Record<Route, string>;
  hello: Message<{ name: string }>;
  helloNobody: string;
  home: {
    points: string;
    available: string;
    pending: string;
    held: string;
    lifetime: string;
    expiring: string;
    expiringOn: Message<{ day: string }>;
    noExpiry: string;
    tiers: string;
    yours: string;
    from: Message<{ points: number }>;
    offers: string;
    recent: string;
    all: string;
  };
  rewards: {
    lead: Message<{ points: number }>;
    category: string;
    every: string;
    reachable: string;
    categories: Record<string, string>;
    missing: Message<{ points: number }>;
    stock: Message<{ count: number }>;
    from: Message<{ day: string }>;
    until: Message<{ day: string }>;
    partner: Message<{ name: string }>;
    choose: string;
    empty: string;
    more: string;
  };
  order: {
    title: Message<{ reward: string }>;
    quantity: string;
    appointment: string;
    chooseAppointment: string;
    places: Message<{ count: number }>;
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
    cost: Message<{ points: number }>;
    /** The balance after the order. */
    left: Message<{ points: number }>;
    most: Message<{ count: number }>;
    place: string;
    placed: string;
    placedNumber: Message<{ number: string }>;
    toOrders: string;
  };
  orders: { empty: string; cancel: string; sure: string; keep: string; giveBack: string; steps: string };
  history: { lead: string };
  profile: {
    details: string;
    edit: string;
    discard: string;
    name: string;
    firstName: string;
    lastName: string;
    email: string;
    phone: string;
    birthDate: string;
    number: string;
    none: string;
    completion: Message<{ ratio: string }>;
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
