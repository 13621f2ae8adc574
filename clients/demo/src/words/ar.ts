import { messages } from "@carillon/shared/language/message";

import type { DemoWords } from "./index";

const say = messages("ar");

export const ar: DemoWords = {
  sentence: "مستوى واحد، مباشر على كل قناة: كل الأجراس تُقرع معًا.",
  member: "العضو",
  screens: { site: "الموقع", app: "التطبيق", kiosk: "جهاز لوحي في المتجر" },
  playground: "ساحة التجربة",
  open: "فتح في علامة تبويب",
  till: {
    title: "الصندوق",
    lead: "سلة حقيقية",
    total: "المجموع",
    receipt: "رقم الإيصال",
    pay: "امسح وادفع",
    refund: "استرداد آخر عملية شراء",
    other: "سلة أخرى",
    loading: "جارٍ تحميل السلال.",
    lines: say("{count, plural, zero {# قطعة} one {قطعة واحدة} two {قطعتان} few {# قطع} many {# قطعة} other {# قطعة}}"),
  },
  scanner: {
    field: "قسيمة أو رمز التطبيق",
    read: "قراءة",
    pass: "قراءة رمز التطبيق",
    voucher: "قراءة القسيمة",
    known: say("العضو {number}: {tier}، {points, plural, zero {# نقطة} one {نقطة واحدة} two {نقطتان} few {# نقاط} many {# نقطة} other {# نقطة}}"),
    unknown: "هذا الرمز لا يخص أي عضو.",
    used: say("استُخدمت القسيمة: {title}"),
    worth: say("استُخدمت القسيمة: {title}، بقيمة {money}"),
  },
  show: "إظهار رمز التطبيق للجهاز اللوحي",
  outcome: {
    waiting: "تم الإرسال. راقب الشاشات.",
    paid: say("تم الدفع: كسب {points, plural, zero {# نقطة} one {نقطة واحدة} two {نقطتين} few {# نقاط} many {# نقطة} other {# نقطة}}."),
    refunded: say("تم الاسترداد: خصم {points, plural, zero {# نقطة} one {نقطة واحدة} two {نقطتين} few {# نقاط} many {# نقطة} other {# نقطة}}."),
    seen: say("على {count, plural, zero {# شاشة} one {شاشة واحدة} two {شاشتين} few {# شاشات} many {# شاشة} other {# شاشة}} بعد {milliseconds, number} مللي ثانية."),
    behind: "لم يصل إلى كل الشاشات بعد.",
    gift: say("لك في الحال: {title}"),
  },
  version: say("الإصدار {version, number}"),
  nobody: "لا يوجد عضو",
  none: {
    title: "لا تصدر هذه البوابة رموز وصول تجريبية",
    text: "هذا هو المطلوب في الإنتاج وعلى الأجهزة الأخرى. افتح الشاشات هنا:",
  },
  failed: "لم ينجح ذلك. حاول من جديد.",
};
