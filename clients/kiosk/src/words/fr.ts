import { messages } from "@carillon/shared/language/message";

import type { KioskWords } from "./index";

const say = messages("fr");

export const fr: KioskWords = {
  device: {
    title: "Enregistrer cette tablette",
    lead: "Un responsable demande un code court et le saisit ici. Le code sert une fois, dans les 15 minutes.",
    code: "Code court",
    enrol: "Enregistrer",
  },
  attract: {
    lead: "Scannez votre carte ou le code de votre application",
    scan: "Présentez-la au lecteur",
    type: "Saisir",
    camera: "Utiliser l’appareil photo",
    join: "Devenir membre",
    ways: { number: "Numéro de membre", phone: "Téléphone", email: "E-mail" },
    whichWay: "Comment vous retrouver ?",
    begin: "Commencer",
    opening: "Un instant",
    passAway: "Il n’y a pas de connexion, et le code de l’application en a besoin. Scannez plutôt votre carte.",
  },
  camera: {
    title: "Appareil photo",
    starting: "L’appareil photo démarre.",
    missing: "Ce navigateur ne peut pas scanner avec l’appareil photo. Utilisez le lecteur ou saisissez le numéro.",
    refused: "L’appareil photo est bloqué ou absent. Utilisez le lecteur ou saisissez le numéro.",
  },
  greet: {
    hello: say("Bonjour {name}"),
    digits: "Les six chiffres de votre application",
    digitsNote: "Ils se trouvent sous le code de votre pass. Saisissez-les pour voir votre statut ici.",
    confirm: "Voir mon statut",
    away: "Il n’y a pas de connexion",
    awayLead:
      "Votre statut ne peut pas s’afficher pour l’instant. Ce que vous faites ici est conservé et comptera dès le retour de la connexion.",
    known: { pass: "Pass", card: "Carte", number: "Numéro de membre", phone: "Téléphone", email: "E-mail" },
  },
  session: {
    hello: say("Bonjour {name}"),
    leave: "Quitter",
    idle: say("Fin dans {seconds, plural, one {# seconde} other {# secondes}}"),
    stay: "Je suis encore là",
    offers: "Pour vous, ici",
    use: "Utiliser maintenant",
    used: "Utilisée.",
  },
  earn: {
    title: "Gagner des points",
    visit: "Je suis là",
    visited: "Merci de votre visite",
    purchase: "Un achat",
    amount: "Montant de l’achat",
    record: "Enregistrer",
    erase: "Effacer le dernier chiffre",
    noted: "C’est noté",
    notedAway: "C’est noté. Cela comptera dès le retour de la connexion.",
    counted: "C’est enregistré",
    countedPoints: say("{points, plural, one {# point gagné} other {# points gagnés}}"),
    gift: say("Un cadeau pour vous : {title}"),
  },
  enrol: {
    title: "Devenir membre",
    firstName: "Prénom",
    contact: "Comment vous joindre ?",
    language: "Langue",
    marketing: { phone: "Vous pouvez me contacter par SMS", email: "Vous pouvez me contacter par e-mail" },
    personalisation: "Vous pouvez choisir mes offres d’après mes achats",
    join: "Adhérer",
    back: "Retour",
    welcome: "Bienvenue",
    number: "Votre numéro de membre",
    photo: "Prenez-le en photo : il vous servira de carte.",
    toStatus: "Voir mon statut",
  },
  outbox: {
    waiting: say("{count, plural, one {# événement attend} other {# événements attendent}} la connexion"),
    clerk: say("{count, plural, one {# événement demande} other {# événements demandent}} un vendeur"),
    title: "Pour le vendeur",
    lead: "Ces événements ont été refusés. Traitez chacun d’eux, puis retirez-le de la liste.",
    settled: "Traité",
    types: { visit: "Visite", purchase: "Achat" },
    otherTablet:
      "Envoyé avant le nouvel enregistrement de la tablette, et peut-être déjà compté. Vérifiez l’historique du membre.",
    kept: "La tablette n’a pas pu conserver cet événement. Enregistrez-le en caisse.",
  },
};
