"""Properties that hold for any prompts: the same lines have the same identity in every format."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mjcli.cli.batch.lines import Line, read_lines
from mjcli.errors import UsageError

settings.register_profile("same", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("same")

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
# One line each, which is no comment: text has no way to write others.
PROMPTS = WORDS.filter(lambda text: text.strip() != "" and not text.strip().startswith(("#", "\ufeff")))
ROWS = st.lists(
    st.fixed_dictionaries(
        {"prompt": PROMPTS},
        optional={
            "ar": st.sampled_from(["16:9", "3:2"]),
            "stylize": st.integers(0, 1000).map(str),
            "no": st.sampled_from(["text, logo", "dogs; cats", 'a "sign"']),
            "key": st.uuids().map(str),
        },
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row.get("key", id(row)),
)
COLUMNS = ("prompt", "ar", "stylize", "no", "key")


def identities(lines: list[Line]) -> list[str]:
    return [each.identity for each in lines]


def as_csv(rows: list[dict[str, Any]], **dialect: Any) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.slow
@given(
    ROWS | st.just([{"prompt": r"\u0000 and \ud800, typed as such"}]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_csv_and_json_lines_have_the_same_identities(
    rows: list[dict[str, Any]], delimiter: str, encoding: str, quoting: int
) -> None:
    jsonl = "\n".join(json.dumps(each) for each in rows)
    wanted = identities(read_lines(jsonl.encode(), "x.jsonl"))
    text = as_csv(rows, delimiter=delimiter, quoting=quoting)
    assert identities(read_lines(text.encode(encoding), "x.csv")) == wanted
    numbers = [{**row, **({"stylize": int(row["stylize"])} if "stylize" in row else {})} for row in rows]
    jsonl = "\r\n\r\n".join(json.dumps(dict(reversed(each.items())), ensure_ascii=False) for each in numbers)
    assert identities(read_lines(jsonl.encode(), "x.jsonl")) == wanted


@pytest.mark.slow
@given(st.lists(PROMPTS, min_size=1, max_size=8))
def test_text_has_the_identities_of_csv_with_only_prompts(prompts: list[str]) -> None:
    text = "\n".join(prompts)
    rows = as_csv([{"prompt": each} for each in prompts])
    wanted = identities(read_lines(rows.encode(), "x.csv"))
    assert identities(read_lines(text.encode(), "x.txt", "text")) == wanted
    assert len(set(wanted)) == len(prompts)


@given(st.binary(max_size=300), st.sampled_from(["text", "csv", "jsonl"]))
def test_any_bytes_are_read_or_refused(data: bytes, form: str) -> None:
    try:
        assert read_lines(data, "x", form)
    except UsageError as error:
        assert error.message


@given(
    st.lists(
        st.sampled_from(
            ["prompt", "ar", ",", ";", '"', "\n", "\r\n", "a", "{", "}", ":", "[", "]", "é", "\\"]
        )
    ),
    st.sampled_from(["text", "csv", "jsonl"]),
)
def test_any_text_is_read_or_refused(pieces: list[str], form: str) -> None:
    test_any_bytes_are_read_or_refused.hypothesis.inner_test("".join(pieces).encode(), form)  # type: ignore[attr-defined]
