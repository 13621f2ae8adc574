import type { AppWords } from "./index";

export const ar: AppWords = {
  tabs: { card: "البطاقة", offers: "العروض", activity: "النشاط", orders: "الطلبات" },
  navigation: "الصفحات",
  pass: {
    title: "بطاقة المرور",
    show: "أظهرها للجهاز اللوحي أو عند الصندوق",
    digits: "أو أدخل هذه الأرقام",
    seconds: (count) => `صالحة ${count} ث`,
    away: "تحتاج بطاقة المرور إلى اتصال. رقم بطاقتك يفي بالغرض أيضا.",
    waiting: "بطاقة مرورك في الطريق",
    number: "البطاقة",
  },
  settings: "الإعدادات",
  orders: "طلباتك",
  noOrders: "لا طلبات بعد.",
};
