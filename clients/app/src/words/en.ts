import type { AppWords } from "./index";

export const en: AppWords = {
  tabs: { card: "Card", offers: "Offers", activity: "Activity", orders: "Orders" },
  navigation: "Pages",
  pass: {
    title: "Your pass",
    show: "Show this at the tablet or the till",
    digits: "Or type these digits",
    seconds: (count) => `Good for ${count} s`,
    away: "The pass needs a connection. Your card number works as well.",
    waiting: "Your pass is on its way",
    number: "Card",
  },
  settings: "Settings",
  orders: "Your orders",
  noOrders: "No orders yet.",
};
