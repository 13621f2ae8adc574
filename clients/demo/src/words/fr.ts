import { messages } from "@carillon/shared/language/message";

import type { DemoWords } from "./index";

const say = messages("fr");

export const fr: DemoWords = {
  sentence: "Un seul statut, en direct sur tous les canaux : toutes les cloches sonnent ensemble.",
  member: "Membre",
  screens: { site: "Site web", app: "Application", kiosk: "Tablette en magasin" },
  playground: "Bac à sable",
  open: "Ouvrir dans un onglet",
  till: {
    title: "Caisse",
    lead: "Un vrai panier",
    total: "Total",
    receipt: "Numéro du ticket",
    pay: "Scanner et payer",
    refund: "Rembourser le dernier achat",
    other: "Un autre panier",
    loading: "Chargement des paniers.",
    lines: say("{count, plural, one {# article} other {# articles}}"),
  },
  scanner: {
    field: "Bon d’achat ou code de l’application",
    read: "Lire",
    pass: "Lire le code de l’application",
    voucher: "Lire le bon d’achat",
    known: say("Membre {number} : {tier}, {points, plural, one {# point} other {# points}}"),
    unknown: "Ce code n’est celui d’aucun membre.",
    used: say("Bon d’achat utilisé : {title}"),
    worth: say("Bon d’achat utilisé : {title}, valeur {money}"),
  },
  show: "Présenter le code de l’application à la tablette",
  outcome: {
    waiting: "Envoyé. Regardez les écrans.",
    paid: say("Payé : vous gagnez {points, plural, one {# point} other {# points}}."),
    refunded: say("Remboursé : {points, plural, one {# point} other {# points}} en moins."),
    seen: say("Sur {count, plural, one {# écran} other {# écrans}} après {milliseconds, number} ms."),
    behind: "Certains écrans ne l’ont pas encore.",
    gift: say("À vous dès maintenant : {title}"),
  },
  version: say("Version {version, number}"),
  nobody: "Aucun membre",
  none: {
    title: "Cette passerelle n’émet pas de jetons d’accès de démonstration",
    text: "C’est voulu en production, et pour les autres machines. Ouvrez les écrans ici :",
  },
  failed: "Cela n’a pas fonctionné. Réessayez.",
};
