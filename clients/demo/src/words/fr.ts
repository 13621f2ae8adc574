import type { DemoWords } from "./index";

export const fr: DemoWords = {
  sentence: "Un seul statut, sur chaque canal, en direct : toutes les cloches sonnent ensemble.",
  member: "Membre",
  screens: { site: "Site web", app: "Application", kiosk: "Tablette en magasin" },
  playground: "Bac à sable",
  open: "Ouvrir à part",
  till: {
    title: "Caisse",
    lead: "Un panier réellement acheté",
    total: "Total",
    pay: "Scanner et payer",
    refund: "Rembourser le dernier achat",
    other: "Un autre panier",
    loading: "Lecture des paniers.",
    lines: (count) => (count <= 1 ? `${count} article` : `${count} articles`),
  },
  show: "Montrer le code de l’app à la tablette",
  outcome: {
    waiting: "Envoyé ; on observe les écrans.",
    paid: (points) => `Payé : ${points} points.`,
    refunded: (points) => `Remboursé : ${points} points.`,
    seen: (count, milliseconds) => `Sur ${count} écrans après ${milliseconds} ms.`,
    behind: "Tous les écrans ne l’ont pas encore.",
    gift: (title) => `Offert sur-le-champ : ${title}`,
  },
  version: (version) => `Version ${version}`,
  nobody: "Personne",
  none: {
    title: "Cette passerelle n’émet pas de jetons de démonstration",
    text: "C’est voulu en production, et pour d’autres machines. Les écrans eux-mêmes sont ici :",
  },
  failed: "Cela n’a pas fonctionné. Réessayez.",
};
