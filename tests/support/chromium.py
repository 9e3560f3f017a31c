"""Chromium for tests: the system's own, driven by Playwright (the extra `browser`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.engines import installed, missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    path = installed("chromium")
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and everything that it did which it must not do."""

    page: Page
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def check(self, origin: str) -> None:
        """Fail if the page ran text, broke its policy, or asked another host."""
        assert self.problems == []
        assert [each for each in self.requests if not each.startswith(origin)] == []
        assert self.page.evaluate("() => window.hacked") is None
        assert self.page.evaluate("() => window.violations || []") == []


VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@contextmanager
def tab(browser: Browser, *, width: int = 1280, height: int = 800, **options: Any) -> Iterator[Watched]:
    """A page in a context of its own, in which nothing moves."""
    settings = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(20_000)
    watched = Watched(page)
    page.add_init_script(VIOLATIONS)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("pageerror", lambda error: watched.problems.append(str(error)))
    page.on("dialog", lambda dialog: (watched.problems.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: watched.problems.append(popup.url))
    try:
        yield watched
    finally:
        context.close()
