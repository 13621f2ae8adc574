"""The playground in a real browser that reaches no other host."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, Route, WebSocket, expect
from support.servers.browser import require_browser

ANSWER_WITHIN_MS = 15_000


class Gateway(Protocol):
    """The `development_gateway` fixture: a running gateway with members and a token issuer."""

    url: str


@dataclass
class Visit:
    """An open page with the requests, errors and sockets that it caused."""

    page: Page
    host: str
    strangers: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    async def admit(self, route: Route) -> None:
        """Let requests to the gateway through; abort all others."""
        if self.is_home(route.request.url):
            await route.continue_()
        else:
            await route.abort()

    def is_home(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"data", "blob"} or parts.netloc == self.host

    def on_request(self, request: Request) -> None:
        if not self.is_home(request.url):
            self.strangers.append(request.url)

    def on_socket(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)
        if not self.is_home(socket.url):
            self.strangers.append(socket.url)

    def on_console(self, message: ConsoleMessage) -> None:
        # Monaco only warns if it finds no workers and runs them in the page.
        if message.type == "error" or (message.type == "warning" and "worker" in message.text.lower()):
            self.console_errors.append(f"{message.type}: {message.text}")

    async def open_example(self, example: dict[str, Any]) -> None:
        """Open an example in a new tab and wait until the editor, whose content is run, shows it."""
        await self.page.get_by_role("button", name="Examples").click()
        item = self.page.get_by_role("menuitem").filter(has=self.page.get_by_text(example["title"], exact=True))
        await item.click()
        # Monaco's lines have non-breaking spaces.
        first_line = re.compile(r"\s+".join(map(re.escape, example["query"].splitlines()[0].split())))
        await expect(self.editor).to_contain_text(first_line)

    @property
    def editor(self) -> Locator:
        """The lines of the edited operation."""
        return self.page.locator(".graphiql-query-editor .view-lines")


@pytest.fixture
async def visit(development_gateway: Gateway, browser: Browser) -> AsyncIterator[Visit]:
    require_browser("playground")
    context = await browser.new_context(viewport={"width": 1440, "height": 1000})
    visit = Visit(await context.new_page(), urlsplit(development_gateway.url).netloc)
    await context.route("**/*", visit.admit)
    context.on("request", visit.on_request)
    visit.page.on("websocket", visit.on_socket)
    visit.page.on("console", visit.on_console)
    visit.page.on("pageerror", lambda error: visit.console_errors.append(f"uncaught: {error}"))
    yield visit
    await context.close()


def kind_of(example: dict[str, Any]) -> str:
    """Return `query` or `subscription` from the first word of a document."""
    word = re.search(r"^\s*(query|mutation|subscription|\{)", example["query"], re.MULTILINE)
    assert word, example
    return "query" if word[1] == "{" else word[1]


async def test_queries_and_subscriptions_work_without_any_other_host(
    development_gateway: Gateway, visit: Visit
) -> None:
    page = visit.page
    session = await (await page.request.get(f"{development_gateway.url}/dev/session")).json()
    number = session["members"][0]["number"]
    examples = [example for example in session["examples"] if example["role"] == "member"]
    query = next(example for example in examples if kind_of(example) == "query")
    subscription = next(example for example in examples if kind_of(example) == "subscription")

    opened = await page.goto(f"{development_gateway.url}/playground/")
    assert opened is not None
    assert opened.ok
    await page.get_by_label("Role", exact=True).select_option("member")
    await page.get_by_label("Member", exact=True).select_option(number)
    await expect(page.get_by_role("status").filter(has_text="Token valid until")).to_be_visible()

    await expect(visit.editor).to_contain_text("MyStatus", timeout=ANSWER_WITHIN_MS)
    answer = page.locator(".result-window .view-lines")
    await visit.open_example(query)
    await page.get_by_role("button", name="Execute query").click()
    await expect(answer).to_contain_text(number, timeout=ANSWER_WITHIN_MS)
    await expect(answer).not_to_contain_text('"errors"')

    await visit.open_example(subscription)
    await expect(answer).not_to_contain_text('"data"')
    await page.get_by_role("button", name="Execute query").click()
    await expect(answer).to_contain_text('"data"', timeout=ANSWER_WITHIN_MS)
    await expect(answer).not_to_contain_text('"errors"')
    await page.get_by_role("button", name="Stop query").click()
    await expect(page.get_by_role("button", name="Execute query")).to_be_visible()

    assert visit.sockets == [f"{development_gateway.url.replace('http', 'ws', 1).rstrip('/')}/graphql"]
    assert page.workers, "Monaco runs without its workers"
    assert visit.strangers == []
    assert visit.console_errors == []
