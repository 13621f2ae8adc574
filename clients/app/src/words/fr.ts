import type { AppWords } from "./index";

export const fr: AppWords = {
  tabs: { card: "Carte", offers: "Offres", activity: "Activité", orders: "Commandes" },
  navigation: "Pages",
  pass: {
    title: "Votre passe",
    show: "Montrez-le à la tablette ou en caisse",
    digits: "Ou saisissez ces chiffres",
    seconds: (count) => `Valable ${count} s`,
    away: "Le passe a besoin d’une connexion. Votre numéro de carte convient aussi.",
    waiting: "Votre passe arrive",
    number: "Carte",
  },
  settings: "Réglages",
  orders: "Vos commandes",
  noOrders: "Aucune commande.",
};
