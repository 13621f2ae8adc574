import { messages } from "@carillon/shared/language/message";

import type { DemoWords } from "./index";

const say = messages("en");

export const en: DemoWords = {
  sentence: "One status, live on every channel: all the bells ring together.",
  member: "Member",
  screens: { site: "Website", app: "App", kiosk: "In-store tablet" },
  playground: "Playground",
  open: "Open in its own tab",
  till: {
    title: "Till",
    lead: "A real basket",
    total: "Total",
    receipt: "Receipt number",
    pay: "Scan and pay",
    refund: "Refund the last purchase",
    other: "Another basket",
    loading: "Loading the baskets.",
    lines: say("{count, plural, one {# item} other {# items}}"),
  },
  scanner: {
    field: "Voucher or app code",
    read: "Read",
    pass: "Read the app’s code",
    voucher: "Read the voucher",
    known: say("Member {number}: {tier}, {points, plural, one {# point} other {# points}}"),
    unknown: "This code belongs to no member.",
    used: say("Voucher used: {title}"),
    worth: say("Voucher used: {title}, worth {money}"),
  },
  show: "Show the app’s code to the tablet",
  outcome: {
    waiting: "Sent. Watch the screens.",
    paid: say("Paid: {points, plural, one {# point} other {# points}} earned."),
    refunded: say("Refunded: {points, plural, one {# point} other {# points}} deducted."),
    seen: say("On {count, plural, one {# screen} other {# screens}} after {milliseconds, number} ms."),
    behind: "Not all screens have it yet.",
    gift: say("Yours right away: {title}"),
  },
  version: say("Version {version, number}"),
  nobody: "No member",
  none: {
    title: "This gateway issues no demo access tokens",
    text: "That is how it should be in production, and for other machines. Open the screens here:",
  },
  failed: "That didn’t work. Try again.",
};
