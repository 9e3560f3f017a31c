"""The gallery in Chromium: what people see, what the keyboard reaches, and what data cannot do."""

from __future__ import annotations

import http.server
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chromium import chromium, tab
from tests.support.gallery import INJECTIONS, family, job
from tests.support.history import add_jobs
from tests.support.live import gallery
from tests.support.program import Mj

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

TILES = "#tiles > li > a"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def site(mj: Mj) -> str:
    """The page of four jobs, as files."""
    family(mj)
    mj("tag", "client", "@1", "@2")
    mj("star", "@1")
    return write(mj)


def write(mj: Mj) -> str:
    mj("gallery", "--output", "site", "--title", "Autumn")
    return (mj.cwd / "site" / "index.html").as_uri()


def names(page: Page) -> list[str]:
    return [each.get_attribute("aria-label").split(",")[0] for each in page.locator(TILES).all()]  # type: ignore[union-attr]


def open_first(page: Page) -> None:
    page.locator(TILES).first.click()
    page.locator("#box[open]").wait_for()


def unfold(page: Page, title: str) -> None:
    page.locator("#panel summary", has_text=title).click()


# -- the wall ------------------------------------------------------------------------------------------


def test_the_pictures_are_shown_newest_first_in_rows_that_never_shift(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.add_init_script(
            "window.shifts = []; new PerformanceObserver((list) => window.shifts.push(...list.getEntries()"
            ".map((each) => each.value))).observe({type: 'layout-shift', buffered: true});"
        )
        page.goto(site)
        page.wait_for_function("() => document.querySelectorAll('#tiles img.loaded').length === 4")
        assert names(page)[0] == "a fox in deep snow"
        assert page.locator("#count").inner_text() == "4 pictures"
        assert page.title() == "Autumn"
        assert sum(page.evaluate("() => window.shifts")) < 0.001
        boxes = [each.bounding_box() for each in page.locator(TILES).all()]
        assert all(box is not None and box["width"] > 100 and box["height"] > 100 for box in boxes)
        watched.check("file:")


def test_words_are_searched_as_they_are_typed(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.goto(site)
        page.keyboard.press("/")
        page.keyboard.type("SNOW fox")
        assert names(page) == ["a fox in deep snow"]
        assert page.locator("#count").inner_text() == "1 result"
        page.keyboard.type("x")
        assert page.locator("#empty").inner_text() == "Nothing matches these filters."
        page.keyboard.press("Escape")
        assert len(names(page)) == 4
        page.get_by_label("Search").fill("pan")
        assert names(page) == ["a lighthouse"]


def test_action_tag_star_and_date_filter(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.goto(site)
        page.get_by_label("Action").select_option("Upscale")
        assert len(names(page)) == 1
        page.reload()
        assert len(names(page)) == 1, "the address keeps the filters"
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Tag").select_option("client")
        assert len(names(page)) == 2
        page.get_by_role("button", name="Starred only").click()
        assert names(page) == ["a fox in deep snow"]
        page.get_by_role("button", name="Clear").click()
        page.get_by_role("combobox", name="Date", exact=True).select_option("between")
        page.locator("#until").fill("2001-01-01")
        assert names(page) == []
        page.get_by_role("combobox", name="Date", exact=True).select_option("1")
        assert len(names(page)) == 4


def test_states_and_profiles_filter(browser: Browser, mj: Mj) -> None:
    family(mj)
    failed = {"state": "failed", "files": [], "error": {"code": "forbidden", "message": "moderated"}}
    add_jobs(mj, job(mj, "refused", **failed), job(mj, "elsewhere", profile="work"))
    with gallery(mj) as live, tab(browser) as watched:
        page = watched.page
        page.goto(live.address)
        page.locator(TILES).first.wait_for()
        assert names(page)[0] == "elsewhere"
        page.get_by_label("Profile").select_option("work")
        assert names(page) == ["elsewhere"]
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("State").select_option("failed")
        assert names(page) == ["refused"]
        open_first(page)
        assert "moderated" in page.locator("#box").inner_text()


def test_a_thousand_pictures_are_loaded_as_they_come_into_view(browser: Browser, mj: Mj) -> None:
    rows = [job(mj, f"colour {n}", pixels=(300, 200 + n * 20)) for n in range(8)]
    now = time.time()
    many = [
        {
            **rows[n % 8],
            "uuid": f"{n:08x}",
            "image_id": f"image-{n}",
            "task_id": f"t-{n}",
            "created_at": now - n,
        }
        for n in range(1000)
    ]
    add_jobs(mj, *many)
    with tab(browser) as watched:
        page = watched.page
        page.goto(write(mj))
        page.wait_for_load_state("networkidle")
        assert page.locator("#count").inner_text() == "1,000 pictures"
        assert page.locator(TILES).count() < 100
        first = page.locator("#tiles > li").first
        assert (first.get_attribute("aria-setsize"), first.get_attribute("aria-posinset")) == ("1000", "1")
        page.locator(TILES).first.focus()
        page.keyboard.press("End")
        assert page.locator(TILES).count() == 1000
        assert (
            page.evaluate("() => document.activeElement.closest('li').getAttribute('aria-posinset')")
            == "1000"
        )
        page.keyboard.press("Home")
        assert page.evaluate("() => scrollY") < 100
        watched.check("file:")


# -- the light box -------------------------------------------------------------------------------------


def test_the_light_box_shows_a_job_and_leads_on_with_the_keyboard(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.goto(site)
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the pictures"
        page.locator(TILES).first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        box = page.get_by_role("dialog", name="a lighthouse")
        box.wait_for()
        assert "Pan left" in box.inner_text()
        assert "--ar 16:10" in box.inner_text()
        page.keyboard.press("ArrowLeft")
        page.get_by_role("dialog", name="a fox in deep snow").wait_for()
        assert page.get_by_role("button", name="Previous picture").is_disabled()
        assert page.locator("#picture img.sharp.loaded").get_attribute("alt") == "a fox in deep snow"
        page.keyboard.press("Escape")
        assert page.locator("#box[open]").count() == 0
        assert "fox" in page.evaluate("() => document.activeElement.getAttribute('aria-label')")


def test_the_history_and_the_commands_are_there_to_copy(browser: Browser, site: str) -> None:
    with tab(browser, permissions=["clipboard-read", "clipboard-write"]) as watched:
        page = watched.page
        page.goto(site)
        open_first(page)
        unfold(page, "History")
        unfold(page, "Commands")
        panel = page.locator("#panel").inner_text()
        assert "created" in panel
        assert "mj history show" in panel
        page.get_by_role("button", name="Copy: Upscale 1").click()
        page.locator("#toast").wait_for()
        assert page.evaluate("() => navigator.clipboard.readText()").startswith("mj upscale 1 image-")
        page.get_by_role("button", name="client").click()
        assert page.locator("#box[open]").count() == 0
        assert len(names(page)) == 2


def test_the_address_opens_a_job_and_back_closes_it(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.goto(site)
        open_first(page)
        address = page.url
        page.go_back()
        page.locator("#box[open]").wait_for(state="detached")
        page.goto("about:blank")
        page.goto(address)
        page.get_by_role("dialog", name="a fox in deep snow").wait_for()


def test_the_lineage_is_a_tree_that_the_arrow_keys_navigate(browser: Browser, site: str) -> None:
    with tab(browser) as watched:
        page = watched.page
        page.goto(site)
        page.locator(TILES).nth(1).click()
        page.keyboard.press("t")
        tree = page.get_by_role("tree", name="Lineage")
        tree.wait_for()
        items = tree.get_by_role("treeitem")
        assert items.count() == 3
        levels = [
            (each.get_attribute("aria-level"), each.get_attribute("aria-selected")) for each in items.all()
        ]
        assert levels == [("1", "false"), ("2", "false"), ("3", "true")]
        assert page.evaluate("() => document.activeElement.getAttribute('aria-level')") == "3"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("() => document.activeElement.getAttribute('aria-level')") == "1"
        page.keyboard.press("Enter")
        assert page.locator("#panel .about").inner_text().startswith("Imagine")
        assert tree.locator("[aria-selected=true]").get_attribute("aria-level") == "1"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert page.locator("#panel .about").inner_text().startswith("Upscale 2")
        page.get_by_role("button", name="Show the picture").click()
        assert page.locator("#picture img.sharp").is_visible()


# -- how it looks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 1280, 2560])
def test_nothing_is_wider_than_the_window(browser: Browser, site: str, width: int) -> None:
    with tab(browser, width=width) as watched:
        page = watched.page
        page.goto(site)
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        open_first(page)
        assert page.evaluate("() => document.querySelector('#box').scrollWidth - innerWidth") <= 0
        frame = page.locator("#picture .frame").bounding_box()
        assert frame is not None
        assert frame["width"] <= width
        assert frame["width"] / frame["height"] == pytest.approx(2 / 3, abs=0.02)


def test_the_theme_follows_the_system_until_it_is_chosen(browser: Browser, site: str) -> None:
    with tab(browser, color_scheme="dark") as watched:
        page = watched.page
        page.goto(site)
        ground = "() => getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        page.get_by_role("button", name="Theme: auto").click()
        assert page.evaluate(ground) != dark
        page.get_by_role("button", name="Theme: light").click()
        assert page.evaluate(ground) == dark
        page.emulate_media(color_scheme="light")
        assert page.evaluate(ground) == dark


def test_everything_that_can_be_pressed_has_a_name(browser: Browser, mj: Mj) -> None:
    family(mj)
    with gallery(mj) as live, tab(browser) as watched:
        page = watched.page
        page.goto(live.address)
        page.locator(TILES).first.wait_for()
        open_first(page)
        for role in ("button", "link", "textbox", "searchbox", "combobox"):
            for each in page.get_by_role(role, include_hidden=False).all():  # type: ignore[arg-type]
                name = each.evaluate(
                    "(e) => e.getAttribute('aria-label') || e.innerText || e.labels?.[0]?.innerText || ''"
                )
                assert name.strip(), each.evaluate("(e) => e.outerHTML")


# -- what data cannot do -------------------------------------------------------------------------------


def injected(mj: Mj) -> int:
    """Jobs with hostile text wherever the ledger has text; returns how many."""
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(INJECTIONS):
        safe = text.encode("utf-8", "replace").decode()
        row = job(mj, f"{number}", words=safe, image_id=safe, task_id=safe, key=safe, batch=safe)
        row["request"] |= {"prompt": safe, safe: safe, "action": safe}
        row["result"] = {"actions": [safe, "upscale1"], "image_id": safe, "raw_image_url": safe}
        row["uuid"] = f"{number}{safe}"
        failed = job(mj, f"failed {number}", state="failed", files=[], words=safe)
        failed |= {"error": {"code": safe, "message": safe}, "parent_image": safe, "kind": "action"}
        described = job(
            mj, f"text {number}", kind="describe", path="/midjourney/describe", files=[], words=safe
        )
        described["result"] = {"descriptions": [safe, safe]}
        rows += [row, failed, described]
    add_jobs(mj, *rows)
    connection = sqlite3.connect(mj.home / "data" / "ledger.db")
    with connection:
        for text in INJECTIONS:
            tag = text.encode("utf-8", "replace").decode()
            connection.execute("INSERT OR IGNORE INTO tags (tag, job) SELECT ?, number FROM jobs", (tag,))
    connection.close()
    return len(rows)


def look_at_everything(page: Page, count: int) -> None:
    """Open every job with its history, commands and tree, and every filter."""
    page.locator(TILES).first.wait_for()
    page.get_by_label("State").select_option("all")
    assert page.locator("#count").inner_text().startswith(str(count))
    for select in page.locator("select").all():
        options = select.locator("option").all()
        assert options
    open_first(page)
    unfold(page, "History")
    unfold(page, "Commands")
    for _ in range(count):
        page.keyboard.press("t")
        page.keyboard.press("ArrowRight")
        page.locator("#panel").hover()
    page.get_by_label("Close").click()
    page.locator(TILES).first.hover()


def test_hostile_data_cannot_run_in_the_written_page(browser: Browser, mj: Mj) -> None:
    count = injected(mj)
    with tab(browser) as watched:
        watched.page.goto(write(mj))
        look_at_everything(watched.page, count)
        watched.check("file:")


def test_hostile_data_cannot_run_in_the_live_page(browser: Browser, mj: Mj) -> None:
    count = injected(mj)
    with gallery(mj, "--title", INJECTIONS[11]) as live, tab(browser) as watched:
        page = watched.page
        page.goto(live.address)
        look_at_everything(page, count)
        # Events, prices and refusals carry the same text.
        add_jobs(mj, job(mj, "late", words=INJECTIONS[0], error={"code": "x", "message": INJECTIONS[4]}))
        page.wait_for_function(
            "(n) => document.querySelector('#count').innerText.startsWith(n)", arg=str(count + 1)
        )
        open_first(page)
        page.get_by_role("button", name="Upscale the top left picture").first.click()
        page.locator("#price:not(:empty)").wait_for()
        page.keyboard.press("Escape")
        watched.check(live.origin)


# -- the live page -------------------------------------------------------------------------------------


def enter(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(TILES).first.wait_for()


def test_an_action_is_confirmed_with_its_price_and_its_picture_appears(browser: Browser, mj: Mj) -> None:
    mj("--sandbox", "imagine", "a lighthouse", "--download")
    with gallery(mj, "--sandbox") as live, tab(browser) as watched:
        page = watched.page
        enter(page, live.address)
        assert page.url.startswith(f"{live.origin}/")
        assert "#" not in page.url
        open_first(page)
        page.get_by_role("button", name="Upscale the top right picture").click()
        question = page.get_by_role("dialog", name="Upscale the top right picture?")
        question.get_by_text("About 0.005 USD").wait_for()
        assert page.locator(":focus").inner_text() == "Cancel"
        page.keyboard.press("Enter")
        assert len(mj("--sandbox", "history", "-q").out.splitlines()) == 1, "cancelled"
        page.get_by_role("button", name="Upscale the top right picture").click()
        question.get_by_role("button", name="Start for 0.005 USD").dblclick()
        page.get_by_text("Done: Upscale 2").wait_for()
        page.get_by_role("button", name="Upscale 2: a lighthouse").click()
        page.locator("#picture img.sharp.loaded").wait_for()
        assert page.locator("#panel .about").inner_text().startswith("Upscale 2")
        watched.check(live.origin)
    rows = mj("--sandbox", "history", "--json").json
    assert [row["action"] for row in rows] == ["upscale2", "generate"]
    assert rows[0]["key"].startswith("gallery-")
    assert Path(rows[0]["files"][0]).is_file()


def test_jobs_appear_change_and_go_while_the_page_is_open(browser: Browser, mj: Mj) -> None:
    family(mj)
    with gallery(mj) as live, tab(browser) as watched:
        page = watched.page
        enter(page, live.address)
        add_jobs(mj, {**job(mj, "a new picture"), "state": "running", "files": [], "image_id": None})
        page.locator(".tile.pending").wait_for()
        assert names(page)[0] == "a new picture"
        assert page.locator("#count").inner_text() == "5 jobs"
        page.locator(".tile.pending").click()
        page.get_by_text("mj resume").first.wait_for()
        page.keyboard.press("Escape")
        mj("star", "@2")
        page.locator(".tile .star").wait_for()
        mj("history", "delete", "@1", "--force", "--yes")
        page.locator(".tile.pending").wait_for(state="detached")
        assert len(names(page)) == 4


def test_a_star_is_set_from_the_page(browser: Browser, mj: Mj) -> None:
    family(mj)
    with gallery(mj) as live, tab(browser) as watched:
        page = watched.page
        enter(page, live.address)
        open_first(page)
        page.get_by_role("button", name="☆ Star").click()
        page.get_by_role("button", name="★ Starred").wait_for()
        assert (
            mj("history", "--starred", "-q").out.splitlines()
            == mj("history", "-n", "1", "-q").out.splitlines()
        )


def test_the_address_admits_one_browser(browser: Browser, mj: Mj) -> None:
    family(mj)
    with gallery(mj) as live:
        with tab(browser) as watched:
            enter(watched.page, live.address)
            watched.page.reload()
            watched.page.locator(TILES).first.wait_for()
            inside = watched.page.url
            # The one that was admitted may open the address again.
            watched.page.goto("about:blank")
            watched.page.goto(live.address)
            watched.page.wait_for_url(inside)
        with tab(browser) as other:
            other.page.goto(live.address)
            other.page.get_by_text("This address has been used.").wait_for()
            assert other.page.goto(inside).status == 403  # type: ignore[union-attr]


def test_a_page_of_another_site_can_neither_read_nor_change_anything(browser: Browser, mj: Mj) -> None:
    family(mj)

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>another site</h1>")

        def log_message(self, *_: object) -> None:
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    attack = """async ([page, job]) => {
      const results = [];
      for (const [path, options] of [["", {}], ["", {mode: "no-cors"}],
        ["star", {method: "POST", body: JSON.stringify({job, on: true})}],
        ["star", {method: "POST", mode: "no-cors", body: JSON.stringify({job, on: true})}]]) {
        try {
          const answer = await fetch(page + path, {credentials: "include", ...options});
          results.push(answer.ok ? await answer.text() : "refused");
        } catch { results.push("refused"); }
      }
      const frame = document.createElement("iframe");
      frame.src = page;
      document.body.append(frame);
      await new Promise((resolve) => { frame.onload = resolve; });
      try { results.push(frame.contentDocument ? "readable" : "refused"); } catch { results.push("refused"); }
      return results;
    }"""
    try:
        with gallery(mj) as live, tab(browser) as watched:
            page = watched.page
            enter(page, live.address)
            job_id = page.evaluate("() => mj.gallery.all[0].id")
            inside = page.url
            page.goto(f"http://127.0.0.1:{other.server_port}/")
            results = page.evaluate(attack, [inside, job_id])
            assert set(results) <= {"refused", ""}
            assert mj("history", "--starred", "-q").out == ""
    finally:
        other.shutdown()
        other.server_close()


def test_the_end_of_the_program_is_not_an_error_in_the_page(browser: Browser, mj: Mj) -> None:
    family(mj)
    with gallery(mj) as live, tab(browser) as watched:
        enter(watched.page, live.address)
        live.stop()
        open_first(watched.page)
        watched.page.get_by_role("button", name="Upscale the top left picture").click()
        watched.page.get_by_text("mj gallery does not answer").wait_for()
        assert watched.problems == []


def test_watching_finds_what_data_does(browser: Browser) -> None:
    # The tests above would pass for any page if these were not noticed.
    with tab(browser) as watched:
        watched.page.set_content("<script>window.hacked = 1</script>")
        with pytest.raises(AssertionError):
            watched.check("about:")
