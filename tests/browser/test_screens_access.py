"""Accessibility: axe has no serious finding on any screen in fr and ar, light and dark; leaves a picture of each."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from support.clients.api import enrol
from support.clients.screens import ARTEFACTS, CARD, Screens, scan, wait_for_screen, wait_until
from support.servers.browser import require_browser
from support.servers.gateway import GatewayProcess

from gateway.config import CLIENTS_DIST

AXE = CLIENTS_DIST.parent / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = [("fr", "light"), ("fr", "dark"), ("ar", "light"), ("ar", "dark")]
HEIGHTS = range(560, 940, 19)  # steps smaller than a touch target, so that some edge meets the bar
SITE_PAGES = ("", "offers", "rewards", "orders", "history", "profile")
STILL = """document.querySelector("[aria-busy=true]") === null && document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
FRAMED = """[...document.querySelectorAll("iframe")].filter(
  (frame) => frame.contentDocument?.querySelector("[data-version]")).length === 3"""


@pytest.fixture
async def screens(development_gateway: GatewayProcess, browser: Browser) -> AsyncIterator[Screens]:
    require_browser("demo", "site", "app", "kiosk")
    api_member = await enrol(development_gateway, firstName="Lucy", lastName="Lee", email=None)
    for total in ("400.00", "250.00", "80.00"):
        await api_member.buy(total)
    opened = Screens(development_gateway, browser, api_member)
    yield opened
    await opened.close()
    assert opened.console_errors == []


async def findings(page: Page) -> list[str]:
    """Return axe's serious findings, each with its place."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found: dict[str, Any] = await page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


async def settled(page: Page) -> None:
    """Wait until loading and animations have ended."""
    await wait_until(page, STILL, within_seconds=30)


async def looked_at(page: Page, name: str, *, locale: str) -> list[str]:
    """Save a picture of a page; return its serious findings."""
    await settled(page)
    assert await page.evaluate("[document.documentElement.lang, document.documentElement.dir || 'ltr']") == [
        locale,
        "rtl" if locale == "ar" else "ltr",
    ]
    ARTEFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    return [f"{name}: {finding}" for finding in await findings(page)]


@pytest.mark.parametrize(("locale", "theme"), LOOKS)
async def test_screens_have_no_serious_finding(screens: Screens, locale: str, theme: str) -> None:
    fragment, wrong = f"&lang={locale}&theme={theme}", list[str]()
    site = await screens.site(fragment)
    for path in SITE_PAGES:
        await site.evaluate(f"location.hash = '#/{path}'")
        wrong += await looked_at(site, f"site-{path or 'home'}-{locale}-{theme}", locale=locale)
    app = await screens.app(fragment)
    for place in range(await app.locator("nav.tabs button").count()):
        await app.locator("nav.tabs button").nth(place).click()
        wrong += await looked_at(app, f"app-{place}-{locale}-{theme}", locale=locale)
    kiosk = await screens.kiosk(fragment)
    wrong += await looked_at(kiosk, f"kiosk-attract-{locale}-{theme}", locale=locale)
    await scan(kiosk, screens.api_member.number)
    await wait_for_screen(kiosk, "session")
    await kiosk.wait_for_selector(CARD)
    wrong += await looked_at(kiosk, f"kiosk-session-{locale}-{theme}", locale=locale)
    assert wrong == []


async def test_the_apps_bar_covers_nothing_on_a_phone_of_any_height(screens: Screens) -> None:
    app, wrong = await screens.app("&lang=fr&theme=light"), list[str]()
    for place in range(await app.locator("nav.tabs button").count()):
        await app.locator("nav.tabs button").nth(place).click()
        for height in HEIGHTS:
            await app.set_viewport_size({"width": 390, "height": height})
            await settled(app)
            wrong += [f"{place} at {height}: {finding}" for finding in await findings(app)]
    assert wrong == []


@pytest.mark.parametrize(("locale", "theme"), [LOOKS[0], LOOKS[-1]])
async def test_demonstration_has_no_serious_finding(screens: Screens, locale: str, theme: str) -> None:
    page = await screens.browser.new_page(viewport={"width": 1440, "height": 900})
    await page.goto(f"{screens.gateway.url}/#lang={locale}&theme={theme}")
    await wait_until(page, FRAMED, within_seconds=30)
    assert await looked_at(page, f"demo-{locale}-{theme}", locale=locale) == []
    await page.close()
