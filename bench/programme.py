"""The measured programme: the grocer's, with enough offers and rewards for every member on every day.

The grocer's file is unchanged, with its windows, audiences, stocks and budgets; a dozen offers and a dozen rewards
without these are added, so that a home screen has ten of each on any weekday.
"""

from pathlib import Path
from typing import Any

import yaml

from loyalty.kernel.text import Text
from loyalty.model.programme import Programme
from models.definitions.programme_file import LOCALES
from schema.wire.ids import global_id
from schema.wire.text import catalogue

FILE = Path(__file__).parents[1] / "programmes" / "grocer.yaml"
ADDED, ADDED_PREFIX = 12, "bench-"
CATEGORIES = (
    "BAKERY",
    "DAIRY",
    "GROCERY",
    "MEAT",
    "PRODUCE",
    "CHEESE",
    "COFFEE",
    "FISH",
    "WINE",
    "HOME",
    "PET",
    "BABY",
)
_NAMES = (
    *(("bread and rolls", "pains et viennoiseries", "الخبز والمعجنات"), ("milk and yoghurt", "laitages", "الألبان")),
    *(("the store cupboard", "l'épicerie", "البقالة"), ("the butcher's counter", "la boucherie", "اللحوم")),
    *(("fruit and vegetables", "fruits et légumes", "الفواكه والخضروات"), ("cheese", "fromages", "الأجبان")),
    *(("coffee and tea", "cafés et thés", "القهوة والشاي"), ("fish of the day", "poisson du jour", "سمك اليوم")),
    *(("the drinks cellar", "la cave", "المشروبات"), ("house and garden", "maison et jardin", "المنزل والحديقة")),
    *(("dogs and cats", "chiens et chats", "الكلاب والقطط"), ("the little ones", "les tout-petits", "الصغار")),
)


def _offer(number: int) -> dict[str, Any]:
    en, fr, ar = _NAMES[number]
    percent = 5 + number
    return {
        "key": ADDED_PREFIX + CATEGORIES[number].lower(),
        "kind": "PERCENT_OFF",
        "title": {"en": f"{percent} % off {en}", "fr": f"{percent} % sur {fr}", "ar": f"خصم {percent}٪ على {ar}"},
        "description": {
            "en": f"On everything of {en} in one basket, this season.",
            "fr": f"Sur tout le rayon {fr}, dans un même panier, cette saison.",
            "ar": f"على كل {ar} في سلة واحدة هذا الموسم.",
        },
        "terms": {"en": "Twice for each member.", "fr": "Deux fois par membre.", "ar": "مرتان لكل عضو."},
        "image": f"/images/offers/{CATEGORIES[number].lower()}.jpg",
        "first_day": "2025-01-01",
        "last_day": "2098-12-31",
        "uses": {"per_member": 2},
        "percent": percent,
        "weight": number % 4,
        "categories": [CATEGORIES[number]],
    }


def _reward(number: int) -> dict[str, Any]:
    en, fr, ar = _NAMES[number]
    return {
        "key": ADDED_PREFIX + CATEGORIES[number].lower(),
        "kind": "DISCOUNT",
        "title": {"en": f"A voucher for {en}", "fr": f"Un bon pour {fr}", "ar": f"قسيمة من {ar}"},
        "description": {
            "en": f"Worth a basket of {en}, in every store and online.",
            "fr": f"Pour {fr}, en magasin et en ligne.",
            "ar": f"صالحة على {ar} في المتجر وعلى الإنترنت.",
        },
        "image": f"/images/rewards/{CATEGORIES[number].lower()}.jpg",
        "category": "vouchers",
        "points": 100 * (number + 1) ** 2,
        "categories": [CATEGORIES[number]],
    }


def source() -> str:
    """Return the programme as a file's text."""
    programme = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    programme["offers"] += [_offer(number) for number in range(ADDED)]
    programme["rewards"] += [_reward(number) for number in range(ADDED)]
    return yaml.safe_dump(programme, allow_unicode=True, sort_keys=False)


def _texts(text: Text) -> dict[str, str]:
    return {locale: text.in_locale(locale) for locale in LOCALES}


def for_peers(programme: Programme) -> dict[str, Any]:
    """Return the data that peers load into memory at start: tiers, offers, rewards and labels, in all locales.

    `offers` have no audience, channel or time restriction, and peers show the first of them, while Carillon ranks all
    offers; `every_offer` has all.
    """
    every_offer = [
        {
            "id": global_id("Offer", programme.key, offer.key),
            "key": offer.key,
            "kind": offer.kind.value,
            "title": _texts(offer.title),
            "description": _texts(offer.description),
            "terms": _texts(offer.terms),
            "image": offer.image,
            "startsAt": offer.starts_at.isoformat(),
            "endsAt": offer.ends_at.isoformat() if offer.ends_at is not None else None,
            "usesPerMember": offer.uses_per_member_max,
        }
        for offer in programme.catalogue.offers.values()
    ]
    every = sorted(programme.catalogue.rewards.values(), key=lambda reward: (reward.points, reward.key))
    rewards = [
        {
            "id": global_id("Reward", programme.key, reward.key),
            "key": reward.key,
            "kind": reward.kind.value,
            "title": _texts(reward.title),
            "description": _texts(reward.description),
            "image": reward.image,
            "category": reward.category,
            "points": reward.points,
            "partner": reward.partner,
        }
        for reward in every
    ]
    return {
        "programme": programme.key,
        "locale": programme.locale,
        "months": programme.qualification.months,
        "tiers": [
            {
                "key": tier.key,
                "name": _texts(tier.name),
                "rank": tier.rank,
                "threshold": tier.threshold,
                "benefits": [_texts(benefit) for benefit in tier.benefits],
            }
            for tier in programme.tiers
        ],
        "offers": [offer for offer in every_offer if str(offer["key"]).startswith(ADDED_PREFIX)],
        "every_offer": every_offer,
        "rewards": rewards,
        "labels": {locale: dict(catalogue(locale)["labels"]) for locale in LOCALES},
    }
