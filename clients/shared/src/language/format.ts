import { type Locale, TAGS } from "./locale";

/** Numbers, dates and money of one language. Arabic has Latin digits, as the programme's own texts do. */
export interface Format {
  number(value: number): string;
  signed(value: number): string;
  percent(ratio: number): string;
  money(amount: string, currency: string): string;
  day(iso: string): string;
  dayOf(milliseconds: number): string;
  time(milliseconds: number): string;
  moment(iso: string): string;
  weekday(iso: string): string;
  hour(iso: string): string;
}

const DAY_ONLY = /^\d{4}-\d{2}-\d{2}$/;

/** A currency such as US$ keeps its own order among Arabic words. */
const isolated = (currency: string): string => `\u2068${currency}\u2069`;

export function formatOf(locale: Locale): Format {
  const tag = TAGS[locale];
  const number = new Intl.NumberFormat(tag);
  const signed = new Intl.NumberFormat(tag, { signDisplay: "exceptZero" });
  const percent = new Intl.NumberFormat(tag, { style: "percent" });
  const day = new Intl.DateTimeFormat(tag, { day: "numeric", month: "long", year: "numeric" });
  // A date without a time is the same day everywhere.
  const dayAnywhere = new Intl.DateTimeFormat(tag, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const time = new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const moment = new Intl.DateTimeFormat(tag, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const weekday = new Intl.DateTimeFormat(tag, { weekday: "long", day: "numeric", month: "long" });
  const hour = new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit" });
  return {
    number: (value) => number.format(value),
    signed: (value) => signed.format(value),
    percent: (ratio) => percent.format(ratio),
    money: (amount, currency) => {
      const money = new Intl.NumberFormat(tag, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
      // A decimal in a string is formatted as it is: money never goes through a float.
      const parts = money.formatToParts(amount as unknown as number);
      return parts.map(({ type, value }) => (type === "currency" ? isolated(value) : value)).join("");
    },
    day: (iso) => (DAY_ONLY.test(iso) ? dayAnywhere : day).format(new Date(iso)),
    dayOf: (milliseconds) => day.format(milliseconds),
    time: (milliseconds) => time.format(milliseconds),
    moment: (iso) => moment.format(new Date(iso)),
    weekday: (iso) => weekday.format(new Date(iso)),
    hour: (iso) => hour.format(new Date(iso)),
  };
}
