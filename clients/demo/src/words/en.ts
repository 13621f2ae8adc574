import type { DemoWords } from "./index";

export const en: DemoWords = {
  sentence: "One status, on every channel, live: all the bells ring together.",
  member: "Member",
  screens: { site: "Website", app: "App", kiosk: "In-store tablet" },
  playground: "Playground",
  open: "Open on its own",
  till: {
    title: "Till",
    lead: "A basket that was really bought",
    total: "Total",
    pay: "Scan and pay",
    refund: "Refund the last purchase",
    other: "Another basket",
    loading: "The baskets are being read.",
    lines: (count) => (count === 1 ? "1 article" : `${count} articles`),
  },
  show: "Show the app's code to the tablet",
  outcome: {
    waiting: "Sent; the screens are watched.",
    paid: (points) => `Paid: ${points} points.`,
    refunded: (points) => `Refunded: ${points} points.`,
    seen: (count, milliseconds) => `On ${count} screens after ${milliseconds} ms.`,
    behind: "Not all screens have it yet.",
    gift: (title) => `Given on the spot: ${title}`,
  },
  version: (version) => `Version ${version}`,
  nobody: "Nobody there",
  none: {
    title: "This gateway issues no tokens for a demonstration",
    text: "That is as it should be in production, and for other machines. The screens themselves are here:",
  },
  failed: "That did not work. Try again.",
};
