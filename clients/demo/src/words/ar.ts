import type { DemoWords } from "./index";

export const ar: DemoWords = {
  sentence: "مستوى واحد على كل قناة، مباشرة: كل الأجراس تقرع معا.",
  member: "العضو",
  screens: { site: "الموقع", app: "التطبيق", kiosk: "جهاز المتجر" },
  playground: "ساحة التجربة",
  open: "فتح منفردا",
  till: {
    title: "الصندوق",
    lead: "سلة اشتريت فعلا",
    total: "المجموع",
    pay: "امسح وادفع",
    refund: "استرداد آخر عملية شراء",
    other: "سلة أخرى",
    loading: "جار قراءة السلال.",
    lines: (count) => `عدد المنتجات: ${count}`,
  },
  show: "إظهار رمز التطبيق للجهاز",
  outcome: {
    waiting: "أُرسل؛ نراقب الشاشات.",
    paid: (points) => `تم الدفع: ${points} نقطة.`,
    refunded: (points) => `تم الاسترداد: ${points} نقطة.`,
    seen: (count, milliseconds) => `على ${count} شاشات بعد ${milliseconds} مللي ثانية.`,
    behind: "لم يصل إلى كل الشاشات بعد.",
    gift: (title) => `هدية فورية: ${title}`,
  },
  version: (version) => `الإصدار ${version}`,
  nobody: "لا أحد",
  none: {
    title: "لا تصدر هذه البوابة رموزا للعرض التجريبي",
    text: "هكذا يجب أن يكون في الإنتاج وعلى الأجهزة الأخرى. الشاشات نفسها هنا:",
  },
  failed: "لم ينجح ذلك. حاول مرة أخرى.",
};
