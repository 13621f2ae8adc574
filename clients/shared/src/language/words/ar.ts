import type { Words } from "./index";

const plural = new Intl.PluralRules("ar");

/** What is counted takes another form for one, two, a few (3 to 10), and many. */
function counted(count: number, forms: { one: string; two: string; few: string; many: string }): string {
  switch (plural.select(count)) {
    case "one":
      return forms.one;
    case "two":
      return forms.two;
    case "few":
      return `${count} ${forms.few}`;
    default:
      return `${count} ${forms.many}`;
  }
}

export const ar: Words = {
  points: (count) => (plural.select(count) === "few" ? "نقاط" : "نقطة"),
  status: {
    title: "مستواك",
    missing: (points, tier) => `بقيت ${points} نقطة لبلوغ ${tier}`,
    top: "أنت في أعلى مستوى",
    progress: (tier) => `التقدم نحو ${tier}`,
    before: (day) => `قبل ${day}`,
    until: (day) => `محفوظ حتى ${day}`,
    pending: (points) => `${points} قادمة`,
    held: (points) => `${points} محجوزة`,
    expiring: (points, day) => `تنتهي صلاحية ${points} نقطة في ${day}`,
    benefits: "مزاياك",
    since: (day) => `منذ ${day}`,
    changed: (points, tier) => `لديك الآن ${points} نقطة، والمستوى ${tier}.`,
  },
  connection: {
    connecting: "جار الاتصال",
    live: "مباشر",
    reconnecting: "إعادة الاتصال",
    offline: "غير متصل",
    asOf: (time) => `بتوقيت ${time}`,
  },
  activity: {
    empty: "لا شيء بعد. أول عملية شراء تقرع الجرس.",
    more: "عرض العمليات الأقدم",
    why: "لماذا",
    balance: (points) => `الرصيد ${points}`,
    nothing: "لم تمنح أي قاعدة شيئا",
  },
  offer: {
    why: "لماذا ترى هذا العرض",
    activate: "تفعيل",
    code: "الرمز",
    until: (day) => `حتى ${day}`,
    usesLeft: (count) =>
      counted(count, {
        one: "بقي استخدام واحد",
        two: "بقي استخدامان",
        few: "استخدامات متبقية",
        many: "استخداما متبقيا",
      }),
    terms: "الشروط",
    states: { AVAILABLE: "متاح", ACTIVATED: "مفعّل", REDEEMED: "مستخدم", EXPIRED: "منته" },
    refuse: "لا يهمني",
    refused: "سجّلنا ذلك: ستراه أقل.",
    empty: "لا عروض في الوقت الحالي.",
    off: (share) => `خصم ${share}`,
    atMost: (money) => `${money} على الأكثر`,
    factor: (times) => `النقاط × ${times}`,
    bonus: (points) => `+${points} نقطة`,
    kinds: {
      PERCENT_OFF: "خصم",
      AMOUNT_OFF: "خصم",
      FREE_DELIVERY: "توصيل مجاني",
      MULTIPLIER: "نقاط مضاعفة",
      BONUS_POINTS: "نقاط إضافية",
      GIFT: "هدية",
      EARLY_ACCESS: "وصول مبكر",
      INVITATION: "دعوة",
      SERVICE: "خدمة",
    },
  },
  order: {
    states: {
      PLACED: "مسجّل",
      CONFIRMED: "مؤكد",
      PREPARING: "قيد التحضير",
      SHIPPED: "في الطريق",
      DELIVERED: "تم التوصيل",
      FULFILLED: "صار لك",
      CANCELLED: "ملغى",
      RETURN_REQUESTED: "طُلب الإرجاع",
      RETURNED: "مُرجع",
      EXCHANGED: "مُستبدل",
    },
    number: (number) => `الطلب ${number}`,
    for: (name) => `إلى ${name}`,
    appointment: (moment) => `الموعد ${moment}`,
    code: "الرمز",
    track: "تتبع الطرد",
    quantity: (count) => counted(count, { one: "قطعة واحدة", two: "قطعتان", few: "قطع", many: "قطعة" }),
  },
  channels: {
    APP: "التطبيق",
    WEB: "الموقع",
    STORE: "المتجر",
    KIOSK: "الجهاز اللوحي",
    AGENT: "خدمة العملاء",
    SOCIAL: "شبكة اجتماعية",
    PARTNER: "شريك",
    SYSTEM: "البرنامج",
  },
  failure: {
    offline: "لا يوجد اتصال. لم يتغير شيء؛ حاول مرة أخرى.",
    unavailable: "البرنامج غير متاح مؤقتا. حاول بعد لحظات.",
    unauthenticated: "انتهت جلستك. سجّل الدخول من جديد.",
    forbidden: "هذا غير متاح لك.",
    limit: "كان ذلك كثيرا دفعة واحدة. حاول بعد لحظات.",
    other: "لم ينجح ذلك. حاول مرة أخرى.",
  },
  again: "حاول مرة أخرى",
  loading: "جار التحميل",
  close: "إغلاق",
  language: "اللغة",
  theme: "المظهر",
  themes: { system: "حسب الجهاز", light: "فاتح", dark: "داكن" },
  skip: "إلى المحتوى",
  signIn: {
    title: "تسجيل الدخول",
    issued: "اختر عضوا من العرض التجريبي. كل واحد منهم سنة تسوّق حقيقية، بلا اسم.",
    token: "سجّل الدخول بحساب علامتك. إن أُعطيت رمز وصول فأدخله هنا.",
    field: "رمز الوصول",
    use: "دخول",
    ended: "انتهت جلستك. سجّل الدخول من جديد.",
    invalid: "أدخل الرمز الذي أُعطيته.",
    search: "رقم العضوية",
    unreachable: "تعذّر الوصول إلى البرنامج. تعيد هذه الصفحة المحاولة بنفسها.",
    out: "خروج",
    notMember: "هذا الرمز ليس لعضو. سجّل الدخول برمز آخر.",
  },
};
