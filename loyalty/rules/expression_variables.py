"""The variables of expressions: events and members as the conditions of rules and segments see them."""

from datetime import date, datetime
from typing import Any

from loyalty.kernel.calendar import day_of, months_later
from loyalty.model.event import Event
from loyalty.model.member import Member
from loyalty.model.programme import Programme


def event_variables(event: Event, programme: Programme) -> dict[str, Any]:
    """Return the variable `event` of expressions; money is a double, for comparisons only."""
    local = event.occurred_at.astimezone(programme.zone)
    purchase = event.purchase
    return {
        "type": event.type,
        "channel": event.channel.value,
        "store": event.store or "",
        "partner": event.partner or "",
        "weekday": local.isoweekday(),
        "hour": local.hour,
        "day": local.date().isoformat(),
        "attributes": dict(event.attributes),
        "purchase": {
            "total": float(purchase.total) if purchase else 0.0,
            "lines": [
                {
                    "sku": line.sku,
                    "quantity": float(line.quantity),
                    "amount": float(line.amount),
                    "category": line.category or "",
                    "brand": line.brand or "",
                }
                for line in (purchase.lines if purchase else ())
            ],
        },
    }


def _birthday_in(birth_date: date, year: int) -> date:
    """Return the birthday in `year`; 28 February stands in for 29 February."""
    return months_later(birth_date, 12 * (year - birth_date.year))


def member_variables(member: Member, programme: Programme, at: datetime) -> dict[str, Any]:
    """Return the variable `member` of expressions: the state before the event that happens `at` this moment."""
    today = day_of(at, programme.zone)
    birth_date = member.profile.birth_date
    return {
        "tier": member.tier_status.tier,
        "rank": programme.tier(member.tier_status.tier).rank,
        "available": member.available,
        "lifetime": member.lifetime_points,
        "locale": member.profile.locale,
        "completion": member.profile.completion,
        "attributes": dict(member.profile.attributes),
        "birthday": birth_date is not None and _birthday_in(birth_date, today.year) == today,
        "tenure_days": max(0, (today - day_of(member.enrolled_at, programme.zone)).days),
        "events": {key: member.event_counts.get(key, 0) for key in programme.event_types},
    }
