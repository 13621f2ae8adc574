"""The screens of a brand whose points have a name of their own: the coffee house's stars."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect
from support.clients.api import ENROL, RECORD, ApiMember, data
from support.clients.screens import CARD
from support.programme_files import PROGRAMMES
from support.servers.browser import require_browser
from support.servers.command_line import run_carillon
from support.servers.gateway import GatewayProcess

from schema.wire.ids import from_global_id

BRAND: dict[str, Any] = {"programme": "coffee"}
UNIT = {"en": "stars", "fr": "étoiles", "ar": "نجم"}
POINTS = {"en": r"\bpoints?\b", "fr": r"\bpoints?\b", "ar": "نقطة|نقاط"}


@pytest.fixture
async def guest(development_gateway: GatewayProcess) -> ApiMember:
    """Apply the coffee house's programme, and enrol a guest who has bought something."""
    gateway = development_gateway
    file = str(PROGRAMMES / "coffee.yaml")
    ran = await run_carillon("programme", "apply", file, "--data-dir", str(gateway.data_dir))
    assert ran.code == 0, ran.err
    till = gateway.token("till", **BRAND)
    async with asyncio.timeout(15):
        while not (await gateway.ask(till, "{ programme { name } }"))["data"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    found = data(await gateway.ask(till, ENROL, input={"key": uuid4().hex, "channel": "STORE"}))["enrol"]["member"]
    member = ApiMember(gateway, found["id"], found["number"])
    event = member.purchase(purchase={"total": "21.50", "currency": "EUR"})
    assert data(await gateway.ask(till, RECORD, input=event))["recordEvent"]["userErrors"] == []
    return member


@pytest.mark.parametrize("locale", sorted(UNIT))
async def test_website_says_stars_and_names_the_topics(guest: ApiMember, browser: Browser, locale: str) -> None:
    require_browser("site")
    gateway = guest.gateway
    token = gateway.token("member", member=from_global_id(guest.id)[1][0], **BRAND)
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{gateway.url}/site/#token={token}&lang={locale}")
    await page.wait_for_selector(CARD)
    await expect(page.locator("body")).to_contain_text(UNIT[locale])
    for path in ("", "history", "rewards", "offers", "profile"):
        await page.evaluate(f"location.hash = '#/{path}'")
        await page.wait_for_selector("main [aria-busy=false], main h1")
        await page.wait_for_load_state("networkidle")
        text = await page.inner_text("body")
        assert re.search(POINTS[locale], text, re.IGNORECASE) is None, f"{path}: {text}"
        assert re.search(r"category:|\bdrinks\b", text) is None, f"{path}: {text}"
    tea = {"en": "Tea", "fr": "Thé", "ar": "الشاي"}[locale]
    await expect(page.get_by_label(tea, exact=True)).to_be_visible()
    await expect(page.get_by_text({"en": "Seafood", "fr": "Poisson", "ar": "الأسماك"}[locale])).to_have_count(0)
    await context.close()
