import { messages } from "@carillon/shared/language/message";

import type { AppWords } from "./index";

const say = messages("ar");

export const ar: AppWords = {
  tabs: { card: "البطاقة", offers: "العروض", activity: "النشاط", orders: "الطلبات" },
  navigation: "الصفحات",
  pass: {
    title: "بطاقتك الرقمية",
    show: "أظهرها للجهاز اللوحي أو عند الصندوق",
    digits: "أو أدخل هذه الأرقام",
    seconds: say("صالحة لمدة {count, plural, zero {# ثانية} one {ثانية واحدة} two {ثانيتين} few {# ثوانٍ} many {# ثانية} other {# ثانية}}"),
    away: "تحتاج البطاقة الرقمية إلى اتصال. يمكنك أيضًا استخدام رقم العضوية.",
    waiting: "جارٍ تحضير بطاقتك الرقمية",
    number: "رقم العضوية",
  },
  settings: "الإعدادات",
  orders: "طلباتك",
  noOrders: "لا توجد طلبات بعد.",
};
