"""The page holds its data as JSON that no HTML parser can take for markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mjcli.gallery import page as module
from mjcli.gallery.page import STATIC, Page, html, json_for_html, static
from tests.support.gallery import INJECTIONS


class Elements(HTMLParser):
    """The start tags of a document, their attributes, and the text of the data."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.title = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if attributes.get("id") == "data":
            self.data += data
        elif tag == "title":
            self.title += data


@pytest.mark.parametrize("text", INJECTIONS)
def test_data_and_title_add_no_element_to_the_page(text: str) -> None:
    plain = Elements(html(Page("x", [{"words": "x"}])).decode())
    found = Elements(html(Page(text, [{"words": text, text: [text]}])).decode())
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
    assert json.loads(found.data)["entries"] == [{"words": text, text: [text]}]


def test_json_for_html_is_ascii_without_markup() -> None:
    text = json_for_html(list(INJECTIONS))
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == list(INJECTIONS)


def test_the_policy_allows_files_of_the_page_alone() -> None:
    found = Elements(html(Page("x", [])).decode())
    (policy,) = [
        each["content"] for tag, each in found.tags if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == module.POLICY
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy


def test_the_page_has_no_inline_script_style_or_handler_and_names_its_own_files_alone() -> None:
    document = html(Page("x", [])).decode()
    for tag, attributes in Elements(document).tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "style"
        assert tag != "script" or "src" in attributes or attributes.get("type") == "application/json"
        for name in ("src", "href"):
            target = attributes.get(name)
            assert not target or target in STATIC or target.startswith("#")


def test_the_scripts_never_turn_text_into_markup_or_code() -> None:
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment|https?://(?!www\.w3)"
    for name in STATIC:
        if name.endswith(".js"):
            text = re.sub(r"//.*|/\^.*?/i", "", static(name).decode())
            assert not re.findall(sinks, text), name


def test_every_file_of_the_page_is_listed() -> None:
    there = {each.name for each in (Path(module.__file__).parent / "static").iterdir()}
    assert there == {*STATIC, "index.html", "enter.html", "enter.js"}
