import { messages } from "@carillon/shared/language/message";

import type { AppWords } from "./index";

const say = messages("en");

export const en: AppWords = {
  tabs: { card: "Card", offers: "Offers", activity: "Activity", orders: "Orders" },
  navigation: "Pages",
  pass: {
    title: "Your pass",
    show: "Show it at the tablet or the till",
    digits: "Or enter these digits",
    seconds: say("Valid for {count, plural, one {# second} other {# seconds}}"),
    away: "The pass needs a connection. You can also use your membership number.",
    waiting: "Getting your pass",
    number: "Membership number",
  },
  settings: "Settings",
  orders: "Your orders",
  noOrders: "No orders yet.",
};
