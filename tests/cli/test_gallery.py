"""`mj gallery --output` and `--sheet`: what they write, and what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.gallery import INJECTIONS, family, job
from tests.support.history import add_jobs
from tests.support.program import Mj


def data_of(page: Path) -> Any:
    text = page.read_text().partition('<script type="application/json" id="data">')[2]
    return json.loads(text.partition("</script>")[0])


def entries(mj: Mj, *arguments: object, site: str = "site") -> list[dict[str, Any]]:
    mj("gallery", "--output", mj.cwd / site, *arguments)
    found: list[dict[str, Any]] = data_of(mj.cwd / site / "index.html")["entries"]
    return found


@pytest.mark.slow
def test_the_page_has_every_job_and_its_files(mj: Mj) -> None:
    family(mj)
    result = mj("gallery", "--output", "site", "--title", "Autumn", "--json").answer
    assert result == {"file": str(mj.cwd / "site" / "index.html"), "pictures": 4}
    data = data_of(mj.cwd / "site" / "index.html")
    assert data["title"] == "Autumn"
    assert not data["live"]
    assert data["entries"][0]["words"] == "a fox in deep snow"
    for entry in data["entries"]:
        (media,) = entry["media"]
        with Image.open(mj.cwd / "site" / media["src"]) as image:
            assert image.size == (media["w"], media["h"])
        with Image.open(mj.cwd / "site" / media["thumb"]) as image:
            assert image.format == "WEBP"


@pytest.mark.slow
def test_the_lineage_is_in_the_page(mj: Mj) -> None:
    family(mj)
    _, pan, upscale, grid = entries(mj)
    assert (pan["parents"], upscale["parents"], grid["parents"]) == ([upscale["n"]], [grid["n"]], [])


def test_a_published_page_names_no_path_profile_account_cost_or_link(mj: Mj) -> None:
    row = job(mj, "a cat", profile="secret-client", key="secret-key", batch="secret-batch", charged=0.123)
    row["result"] |= {"raw_image_url": "https://secret.example/cat.png?hm=secret"}
    row["request"] |= {"callback_url": "https://secret.example/hook"}
    add_jobs(mj, row)
    mj("gallery", "--output", "site")
    text = (mj.cwd / "site" / "index.html").read_text()
    assert "a cat" in text
    for private in ("secret", "0.123", str(mj.home), "api.example"):
        assert private not in text, private


@pytest.mark.slow
def test_the_jobs_of_all_profiles_but_the_sandbox_are_shown_unless_one_is_named(mj: Mj) -> None:
    Path(mj.env["MJ_CONFIG"]).parent.mkdir(parents=True)
    Path(mj.env["MJ_CONFIG"]).write_text('[profiles.work]\ntoken = "t"\n')
    Path(mj.env["MJ_CONFIG"]).chmod(0o600)
    add_jobs(
        mj,
        job(mj, "a cat"),
        job(mj, "a dog", profile="work"),
        job(mj, "a toy", profile="sandbox", host="sandbox"),
    )
    assert [each["words"] for each in entries(mj)] == ["a dog", "a cat"]
    assert [each["words"] for each in entries(mj, "--profile", "work")] == ["a dog"]
    assert [each["words"] for each in entries(mj, "--sandbox")] == ["a toy"]


@pytest.mark.slow
def test_only_the_named_jobs_or_the_newest_are_shown(mj: Mj) -> None:
    family(mj)
    assert [each["words"] for each in entries(mj, "@1")] == ["a fox in deep snow"]
    mj("tag", "client", "@1", "@2")
    names = mj("history", "--tag", "client", "-q").out
    mj("gallery", "--output", "chosen", "-", stdin=names)
    assert len(data_of(mj.cwd / "chosen" / "index.html")["entries"]) == 2
    result = mj("gallery", "--output", "newest", "--limit", "3")
    assert "1 older jobs are not shown" in result.err
    assert data_of(mj.cwd / "newest" / "index.html")["more"] == 1


@pytest.mark.slow
def test_marks_are_in_the_page(mj: Mj) -> None:
    family(mj)
    mj("tag", "client", "@1")
    mj("star", "@1")
    fox = entries(mj)[0]
    assert (fox["tags"], fox["star"]) == (["client"], True)


@pytest.mark.slow
def test_writing_again_removes_the_pictures_of_deleted_jobs(mj: Mj) -> None:
    family(mj)
    entries(mj)
    other = mj.cwd / "site" / "images" / "mine.png"
    other.write_bytes(b"x")
    mj("history", "delete", "@1", "--yes")
    found = entries(mj)
    used = {Path(media["src"]).name for entry in found for media in entry["media"]}
    assert {path.name for path in other.parent.iterdir()} == used | {"mine.png"}
    assert len(list((mj.cwd / "site" / "thumbs").iterdir())) == 3


@pytest.mark.slow
def test_without_originals_the_thumbnails_are_shown(mj: Mj) -> None:
    family(mj)
    found = entries(mj, "--no-originals")
    assert all(media["src"] == media["thumb"] for entry in found for media in entry["media"])
    assert not list((mj.cwd / "site" / "images").iterdir())


@pytest.mark.slow
def test_thumbnails_are_private_and_made_once(mj: Mj) -> None:
    family(mj)
    entries(mj)
    cache = mj.home / "data" / "thumbnails"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.webp")}
    assert len(before) == 4
    entries(mj, site="again")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.webp")} == before
    if os.name == "posix":
        assert next(iter(before)).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_jobs_without_files_and_with_damaged_ones_are_in_the_page(mj: Mj) -> None:
    gone, bomb = job(mj, "gone"), job(mj, "bomb")
    Path(gone["files"][0]).unlink()
    Image.new("1", (30_000, 30_000)).save(bomb["files"][0])
    failed = job(mj, "failed", state="failed", files=[], error={"code": "forbidden", "message": "No."})
    add_jobs(mj, gone, bomb, failed)
    result = mj("gallery", "--output", "site")
    assert "1 of the pictures could not be decoded" in result.err
    found = {each["words"]: each for each in data_of(mj.cwd / "site" / "index.html")["entries"]}
    assert found["gone"]["media"] == []
    assert found["bomb"]["media"][0]["thumb"] is None
    assert found["failed"]["error"] == "forbidden: No."


def unsaved(mj: Mj, name: str, **row: Any) -> dict[str, Any]:
    """A job that is done and whose picture was not saved."""
    return job(mj, name, **row) | {"files": [], "files_sha256": None}


@pytest.mark.slow
def test_jobs_without_a_saved_file_are_counted_with_what_saves_them(mj: Mj) -> None:
    text = job(mj, "text", kind="describe", path="/midjourney/describe", files=[])
    failed = job(mj, "failed", state="failed", files=[], error={"code": "forbidden", "message": "No."})
    cat = unsaved(mj, "cat")
    add_jobs(mj, job(mj, "saved"), cat, text, failed)
    warning = (
        "warning: 1 job has no saved file and no picture in the page.\n"
        f"  next: mj download {cat['task_id']}\n"
    )
    assert mj("gallery", "--output", "site").err == warning
    assert mj("gallery", "--output", "named", "@1", "@2", "@3", "@4").err == warning
    add_jobs(mj, *(unsaved(mj, f"cat {number}") for number in range(5)))
    err = mj("gallery", "--output", "site").err
    assert err == "warning: 6 jobs have no saved file and no picture in the page.\n  next: mj download REF\n"


@pytest.mark.slow
def test_named_jobs_without_a_saved_file_do_not_replace_a_page(mj: Mj) -> None:
    family(mj)
    assert len(entries(mj)) == 4
    cat = unsaved(mj, "cat")
    add_jobs(mj, cat)
    before = {path: path.read_bytes() for path in (mj.cwd / "site").rglob("*") if path.is_file()}
    result = mj("gallery", "--output", "site", cat["task_id"], check=8)
    assert "None of these jobs has a picture on this machine." in result.err
    assert f"next: mj download {cat['task_id']}\n" in result.err
    assert {path: path.read_bytes() for path in (mj.cwd / "site").rglob("*") if path.is_file()} == before
    mj("gallery", "--output", "other", cat["task_id"], check=8)
    assert not (mj.cwd / "other").exists()


@pytest.mark.slow
def test_commands_are_quoted_and_never_contain_an_id_that_is_not_plain(mj: Mj) -> None:
    plain = job(mj, "plain")
    odd = [
        job(mj, f"odd {n}", image_id=text, task_id=text)
        for n, text in enumerate(INJECTIONS)
        if "\ud83d" not in text
    ]
    add_jobs(mj, plain, *odd)
    for entry in entries(mj):
        lines = [line for _, line in entry["commands"]]
        assert all(line.startswith("mj ") for line in lines)
        assert not [line for line in lines if set(line) & set("<>;&|$`\\(){}'\"")]
        if entry["words"] == "plain":
            image = plain["image_id"]
            assert f"mj upscale 1 {image}" in lines


@pytest.mark.slow
def test_a_page_of_something_else_is_not_replaced(mj: Mj) -> None:
    family(mj)
    site = mj.cwd / "site"
    site.mkdir()
    (site / "index.html").write_text("<title>My company</title>")
    result = mj("gallery", "--output", "site", check=2)
    assert "is not a page of mj gallery" in result.err
    assert (site / "index.html").read_text() == "<title>My company</title>"
    mj("gallery", "--output", "site", "--force")
    mj("gallery", "--output", "site")


def test_a_directory_that_cannot_be_written_is_one_sentence(mj: Mj) -> None:
    family(mj)
    (mj.cwd / "file").write_text("")
    result = mj("gallery", "--output", "file/site", check=2)
    assert "cannot be written" in result.err


# -- contact sheets ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sheet_shows_each_picture_with_its_label(mj: Mj) -> None:
    family(mj)
    result = mj("gallery", "--sheet", "sheet.png", "@1", "@2", "@3", "@4", "--json").answer
    assert result == {"file": str(mj.cwd / "sheet.png"), "pictures": 4}
    with Image.open(mj.cwd / "sheet.png") as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(1 << 24)}
    for path in (mj.home / "pictures").iterdir():
        with Image.open(path) as picture:
            assert picture.getpixel((0, 0)) in colours


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.webp", "WEBP")])
def test_the_suffix_decides_the_format(mj: Mj, name: str, kind: str) -> None:
    family(mj)
    mj("gallery", "--sheet", name, "@1")
    with Image.open(mj.cwd / name) as sheet:
        assert sheet.format == kind


def test_a_file_names_itself_on_a_sheet_wherever_it_is(mj: Mj) -> None:
    family(mj)
    source = next(iter((mj.home / "pictures").iterdir()))
    moved = mj.cwd / "moved.png"
    source.rename(moved)
    assert mj("gallery", "--sheet", "sheet.png", "moved.png", "--json").answer["pictures"] == 1


@pytest.mark.slow
def test_odd_words_and_pictures_end_in_a_sheet_with_a_placeholder(mj: Mj) -> None:
    rows = [job(mj, text) for text in INJECTIONS if "\ud83d" not in text]
    bomb = job(mj, "bomb")
    Image.new("1", (30_000, 30_000)).save(bomb["files"][0])
    add_jobs(mj, *rows, job(mj, "清晨的江南水乡 🎨" * 20), bomb)
    count = len(rows) + 2
    result = mj("gallery", "--sheet", "sheet.png", *[f"@{n}" for n in range(1, count + 1)])
    assert "has too many pixels" in result.err
    with Image.open(mj.cwd / "sheet.png") as sheet:
        assert sheet.width > 1000


@pytest.mark.slow
def test_an_existing_file_is_not_replaced(mj: Mj) -> None:
    family(mj)
    (mj.cwd / "sheet.png").write_text("mine")
    assert "already exists" in mj("gallery", "--sheet", "sheet.png", "@1", check=2).err
    assert (mj.cwd / "sheet.png").read_text() == "mine"
    mj("gallery", "--sheet", "sheet.png", "@1", "--force")


# -- wrong input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sheet", "sheet.png"], "--sheet needs the jobs"),
        (["--sheet", "sheet.gif", "@1"], "must end in .png, .jpg or .webp"),
        (["--sheet", "sheet.png", "--output", "site", "@1"], "cannot be combined"),
        (["--no-originals"], "need --output"),
        (["--output", "site", "--port", "80"], "--port is for the page that is served"),
        (["--limit", "3", "@1"], "--limit cannot be combined"),
        (["--output", "site", "@9"], "has fewer jobs"),
        (["--port", "70000"], "--port"),
    ],
)
def test_wrong_options_are_refused(mj: Mj, arguments: list[str], message: str) -> None:
    family(mj)
    assert message in mj("gallery", *arguments, check=2).err


def test_without_jobs_nothing_is_written(mj: Mj) -> None:
    assert "No jobs yet" in mj("gallery", "--output", "site", check=2).err
    assert not (mj.cwd / "site").exists()
