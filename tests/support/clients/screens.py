"""The three screens of one member, each in a browser context of its own, and a gateway that can be restarted."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from support.clients.api import ApiMember, data, mutation
from support.servers.gateway import GatewayProcess

ARTEFACTS = Path(__file__).parents[3] / "artefacts"
INVITE = mutation("inviteDevice", "code")
CARD = "[data-version]"
WITHIN_MS = 15_000
LOOK_SECONDS = 0.02
SCAN = """(keys) => {
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
# Records when each version first appeared, in milliseconds since the epoch, after the frame that shows it.
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
class RestartableGateway:
    """A gateway that can be killed and restarted on the same port, where the screens reconnect."""

    data_dir: Path
    folder: Path
    settings: dict[str, str]
    gateway: GatewayProcess
    starts: int = 1

    @classmethod
    def started(cls, data_dir: Path, folder: Path, **settings: str) -> "RestartableGateway":
        gateway = GatewayProcess.start("serve", data_dir=data_dir, output=folder / "output-0.log", **settings)
        return cls(data_dir, folder, settings, gateway)

    async def restart(self) -> None:
        """Start it again on the same port."""
        port = str(urlsplit(self.gateway.url).port)
        output = self.folder / f"output-{self.starts}.log"
        self.starts += 1
        self.gateway = await asyncio.to_thread(
            GatewayProcess.start, "serve", "--port", port, data_dir=self.data_dir, output=output, **self.settings
        )


@dataclass
class Screens:
    """The open screens of one member, and the errors of their consoles."""

    gateway: GatewayProcess
    browser: Browser
    api_member: ApiMember
    contexts: dict[str, BrowserContext] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    console_errors: list[str] = field(default_factory=list)

    async def _opened(self, name: str, fragment: str, **about: Any) -> Page:
        context = self.contexts[name] = await self.browser.new_context(**about)
        page = self.pages[name] = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.console_errors.append(f"{name}: {error}"))
        await page.goto(f"{self.gateway.url}/{name}/#{fragment}")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        # The browser also reports failed connections and missing icons as errors.
        if message.type == "error" and "net::ERR" not in message.text and "WebSocket" not in message.text:
            self.console_errors.append(message.text)

    async def site(self, fragment: str = "", **about: Any) -> Page:
        """Open the website as the member."""
        page = await self._opened("site", f"token={self.api_member.token()}{fragment}", **about)
        await page.wait_for_selector(CARD, timeout=WITHIN_MS)
        return page

    async def app(self, fragment: str = "", **about: Any) -> Page:
        """Open the app as the member, on a phone."""
        phone = {"viewport": {"width": 390, "height": 844}, **about}
        page = await self._opened("app", f"token={self.api_member.token()}{fragment}", **phone)
        await page.wait_for_selector(CARD, timeout=WITHIN_MS)
        return page

    async def kiosk(self, fragment: str = "", **about: Any) -> Page:
        """Enrol a tablet and wait for its welcome screen."""
        fields = {"key": uuid4().hex, "name": "Entrance"}
        code = data(await self.gateway.ask(self.gateway.token("manager"), INVITE, input=fields))["inviteDevice"]["code"]
        tablet = {"viewport": {"width": 1024, "height": 768}, **about}
        page = await self._opened("kiosk", f"code={code}{fragment}", **tablet)
        await wait_for_screen(page, "attract")
        return page

    async def open_all(self) -> None:
        """Open all three screens; the tablet scans the app's code."""
        await asyncio.gather(self.site(), self.app(), self.kiosk())
        await scan(self.pages["kiosk"], await shown_pass(self.pages["app"]))
        await wait_for_screen(self.pages["kiosk"], "session")
        for page in self.pages.values():
            await page.evaluate(WATCH)

    async def close(self) -> None:
        """Close every context with its storage."""
        for context in self.contexts.values():
            await context.close()

    async def versions(self) -> dict[str, int]:
        """Return the version that each screen shows."""
        return {name: await shown_version(page) for name, page in self.pages.items()}

    async def wait_for_version(self, number: int) -> None:
        """Wait until all screens show a version."""
        await asyncio.gather(*(wait_for_version(page, number) for page in self.pages.values()))


async def wait_for_screen(page: Page, screen: str) -> None:
    """Wait until the tablet shows one of its screens."""
    await page.wait_for_selector(f"[data-screen={screen}]", timeout=WITHIN_MS)


async def scan(page: Page, text: str) -> None:
    """Type as a scanner does: quickly, anywhere on the page, with Enter at the end.

    All keys in one call: on a busy machine, keys sent one by one would come slower than a person types.
    """
    await page.evaluate(SCAN, [*text, "Enter"])


async def shown_pass(app: Page) -> str:
    """Return the content of the QR code in the app."""
    shown = await app.wait_for_selector("[data-pass]", timeout=WITHIN_MS)
    assert shown is not None
    return await shown.get_attribute("data-pass") or ""


async def shown_version(page: Page) -> int:
    """Return the version that a screen shows."""
    return int(await page.get_attribute(CARD, "data-version") or 0)


async def wait_for_version(page: Page, number: int) -> None:
    """Wait until a screen shows a version."""
    await wait_until(page, f"Number(document.querySelector('{CARD}')?.dataset.version) >= {number}")


async def wait_until(page: Page, expression: str, within_seconds: float = 15) -> Any:
    """Wait until an expression is true on a page; return its value. The page's policy forbids Playwright's own wait."""
    async with asyncio.timeout(within_seconds):
        while not (found := await page.evaluate(expression)):  # noqa: ASYNC110 - in the browser
            await asyncio.sleep(LOOK_SECONDS)
    return found
