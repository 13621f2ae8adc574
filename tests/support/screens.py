"""The three screens of one member, each in a browser window of its own, and the gateway they are served by."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from support.api import Person, data, mutation
from support.gateway import GatewayProcess

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
INVITE = mutation("inviteDevice", "code")
CARD = "[data-version]"
WITHIN_MS = 15_000
LOOK_SECONDS = 0.02
SCAN = """(keys) => {
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
# When each version was first on the screen, in milliseconds since the epoch: after the frame that shows it was drawn.
WATCH = """() => {
  const seen = (window.seen = {});
  const look = () => {
    for (const card of document.querySelectorAll("[data-version]")) {
      const { version } = card.dataset;
      if (version in seen) continue;
      seen[version] = null;
      requestAnimationFrame(() => setTimeout(() => { seen[version] = performance.timeOrigin + performance.now(); }));
    }
  };
  new MutationObserver(look).observe(document.documentElement, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-version"],
  });
  look();
}"""


@dataclass
class Restartable:
    """A gateway that can be killed and started again on the same port, where the screens look for it."""

    data_dir: Path
    folder: Path
    settings: dict[str, str]
    gateway: GatewayProcess
    starts: int = 1

    @classmethod
    def started(cls, data_dir: Path, folder: Path, **settings: str) -> "Restartable":
        gateway = GatewayProcess.start("serve", data_dir=data_dir, output=folder / "output-0.log", **settings)
        return cls(data_dir, folder, settings, gateway)

    async def again(self) -> None:
        """Start it where it was."""
        port = urlsplit(self.gateway.url).port or 0
        output = self.folder / f"output-{self.starts}.log"
        self.starts += 1
        self.gateway = await asyncio.to_thread(
            GatewayProcess.start, "serve", data_dir=self.data_dir, output=output, port=port, **self.settings
        )


@dataclass
class Screens:
    """Windows on one member. `complaints` are what the browser's console said that it should not have."""

    gateway: GatewayProcess
    browser: Browser
    person: Person
    contexts: dict[str, BrowserContext] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    async def _opened(self, name: str, fragment: str, **about: Any) -> Page:
        context = self.contexts[name] = await self.browser.new_context(**about)
        page = self.pages[name] = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{name}: {error}"))
        await page.goto(f"{self.gateway.url}/{name}/#{fragment}")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        # A gateway that is gone, and a name of an icon that a browser asks for by itself, are told as errors too.
        if message.type == "error" and "net::ERR" not in message.text and "WebSocket" not in message.text:
            self.complaints.append(message.text)

    async def site(self, fragment: str = "", **about: Any) -> Page:
        """Open the website as the member."""
        page = await self._opened("site", f"token={self.person.token()}{fragment}", **about)
        await page.wait_for_selector(CARD, timeout=WITHIN_MS)
        return page

    async def app(self, fragment: str = "", **about: Any) -> Page:
        """Open the app as the member, on a phone."""
        phone = {"viewport": {"width": 390, "height": 844}, **about}
        page = await self._opened("app", f"token={self.person.token()}{fragment}", **phone)
        await page.wait_for_selector(CARD, timeout=WITHIN_MS)
        return page

    async def kiosk(self, fragment: str = "", **about: Any) -> Page:
        """Enrol a tablet, which then invites whoever comes."""
        told = {"key": uuid4().hex, "name": "Entrance"}
        code = data(await self.gateway.ask(self.gateway.token("manager"), INVITE, input=told))["inviteDevice"]["code"]
        tablet = {"viewport": {"width": 1024, "height": 768}, **about}
        page = await self._opened("kiosk", f"code={code}{fragment}", **tablet)
        await at(page, "attract")
        return page

    async def all(self) -> None:
        """Open all three, the app's code shown to the tablet."""
        await asyncio.gather(self.site(), self.app(), self.kiosk())
        await scan(self.pages["kiosk"], await pass_of(self.pages["app"]))
        await at(self.pages["kiosk"], "session")
        for page in self.pages.values():
            await page.evaluate(WATCH)

    async def close(self) -> None:
        """Close every window, and forget what was kept for it."""
        for context in self.contexts.values():
            await context.close()

    async def versions(self) -> dict[str, int]:
        """Return the version that each screen shows."""
        return {name: await version(page) for name, page in self.pages.items()}

    async def show(self, number: int) -> None:
        """Wait until all screens show a version."""
        await asyncio.gather(*(shows(page, number) for page in self.pages.values()))


async def at(page: Page, screen: str) -> None:
    """Wait until the tablet is at one of its screens."""
    await page.wait_for_selector(f"[data-screen={screen}]", timeout=WITHIN_MS)


async def scan(page: Page, text: str) -> None:
    """Type as a scanner does: quickly, anywhere on the page, with Enter at the end.

    In one go: keys that are sent to the browser one by one come more slowly on a busy machine than anybody types.
    """
    await page.evaluate(SCAN, [*text, "Enter"])


async def pass_of(app: Page) -> str:
    """Return what the QR code on the app says."""
    shown = await app.wait_for_selector("[data-pass]", timeout=WITHIN_MS)
    assert shown is not None
    return await shown.get_attribute("data-pass") or ""


async def version(page: Page) -> int:
    """Return the version that a screen shows."""
    return int(await page.get_attribute(CARD, "data-version") or 0)


async def shows(page: Page, number: int) -> None:
    """Wait until a screen shows a version."""
    await until(page, f"Number(document.querySelector('{CARD}')?.dataset.version) >= {number}")


async def until(page: Page, expression: str, within_seconds: float = 15) -> Any:
    """Wait until something is true of a page, and return it. How Playwright would wait, the page's policy forbids."""
    async with asyncio.timeout(within_seconds):
        while not (found := await page.evaluate(expression)):  # noqa: ASYNC110 - in the browser
            await asyncio.sleep(LOOK_SECONDS)
    return found
