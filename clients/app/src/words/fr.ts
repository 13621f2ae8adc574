import { messages } from "@carillon/shared/language/message";

import type { AppWords } from "./index";

const say = messages("fr");

export const fr: AppWords = {
  tabs: { card: "Carte", offers: "Offres", activity: "Activité", orders: "Commandes" },
  navigation: "Pages",
  pass: {
    title: "Votre pass",
    show: "Présentez-le à la tablette ou en caisse",
    digits: "Ou saisissez ces chiffres",
    seconds: say("Valable {count, plural, one {# seconde} other {# secondes}}"),
    away: "Le pass a besoin d’une connexion. Vous pouvez aussi utiliser votre numéro de membre.",
    waiting: "Préparation de votre pass…",
    number: "Numéro de membre",
  },
  settings: "Réglages",
  orders: "Vos commandes",
  noOrders: "Aucune commande pour l’instant.",
};
