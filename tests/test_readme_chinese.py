"""The Chinese README has the commands of the English one, and the links and pictures of both exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from mjcli.cli.help.facts import EXIT_STATUSES

ROOT = Path(__file__).parents[1]
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / ".github" / "README.zh-CN.md"
#: Where the part ends that is in both.
ENDS = {ENGLISH: "## Use it from Python\n", CHINESE: "## 更多\n"}
BOTH = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=["English", "Chinese"])
STILLS = ["terminal.png", "gallery.png"]
LARGEST = 150_000  # bytes of a picture

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)


class Section(NamedTuple):
    """The level of a heading, and what is below it: blocks without comments, and code within sentences."""

    level: int
    blocks: list[tuple[str, str]]
    code: set[str]


def without_comments(block: str) -> str:
    return "\n".join(line for line in block.splitlines() if not line.lstrip().startswith("# "))


def prose(path: Path) -> str:
    """All text outside code blocks."""
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def sections(path: Path) -> list[Section]:
    """The sections that are in both languages, each with its own commands."""
    text, end, _ = path.read_text(encoding="utf-8").partition(ENDS[path])
    assert end, f"{path.name} has no heading {ENDS[path]!r}"
    text = re.sub(r"<!-- generated: .*?<!-- end generated -->", "", text, flags=re.DOTALL)
    blocks: list[tuple[str, str]] = []

    def cut(block: re.Match[str]) -> str:
        blocks.append((block[1], without_comments(block[2])))
        return f"@block {len(blocks) - 1}@"

    parts = HEADING.split(BLOCK.sub(cut, text))
    return [
        Section(
            len(level),
            [blocks[int(number)] for number in re.findall(r"@block (\d+)@", body)],
            set(re.findall(r"`([^`]+)`", re.sub(r"\s*\n\s*", " ", body))),
        )
        for level, body in zip(parts[1::3], parts[3::3], strict=True)
    ]


def anchors(path: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub writes them."""
    titles = [title.lower() for _, title in HEADING.findall(prose(path))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def test_both_have_the_same_sections() -> None:
    assert [each.level for each in sections(CHINESE)] == [each.level for each in sections(ENGLISH)]


def test_both_have_the_same_code_blocks_apart_from_comments() -> None:
    english = [each.blocks for each in sections(ENGLISH)]
    assert sum(map(len, english)) >= 20
    assert [each.blocks for each in sections(CHINESE)] == english


def test_both_have_the_same_commands_and_options_in_their_sentences() -> None:
    # The table of exit statuses, which is generated in English, is not compared; and a name may be repeated.
    more = {"mj", *(code for _, meaning in EXIT_STATUSES for code in re.findall(r"`([^`]+)`", meaning))}
    for english, chinese in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        assert english.code - chinese.code == set()
        assert chinese.code - english.code <= more


def test_the_chinese_one_has_every_exit_status() -> None:
    rows = re.findall(r"^\| (\d[\d, ]*) \|", CHINESE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [status for status, _ in EXIT_STATUSES]


def test_each_comment_is_translated() -> None:
    blocks = BLOCK.findall(CHINESE.read_text(encoding="utf-8"))
    comments = [line for _, block in blocks for line in block.splitlines() if line.lstrip().startswith("# ")]
    assert comments
    assert [each for each in comments if not re.search(r"[\u4e00-\u9fff]", each)] == []


@BOTH
def test_each_relative_link_leads_somewhere(readme: Path) -> None:
    targets = [target for _, _, target in LINK.findall(prose(readme)) if "://" not in target]
    assert targets
    for target in targets:
        name, _, fragment = target.partition("#")
        path = (readme.parent / name).resolve() if name else readme
        assert path.is_file(), target
        assert not fragment or fragment in anchors(path), target


@BOTH
def test_the_stills_are_shown_with_words_for_those_who_do_not_see_them(readme: Path) -> None:
    shown = [(text, target) for mark, text, target in LINK.findall(prose(readme)) if mark]
    assert [target.rpartition("/")[2] for _, target in shown] == STILLS
    assert all(len(text) > 20 for text, _ in shown)


@pytest.mark.parametrize("name", STILLS)
def test_a_still_is_a_small_png_file(name: str) -> None:
    content = (ROOT / ".github" / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) <= LARGEST


def test_each_readme_links_to_the_other() -> None:
    assert (ENGLISH.parent / LINK.findall(prose(ENGLISH))[0][2]).resolve() == CHINESE
    assert (CHINESE.parent / LINK.findall(prose(CHINESE))[0][2]).resolve() == ENGLISH
