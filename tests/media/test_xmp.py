"""XMP packets: what is written can be read, what exists is kept, and what is hostile is refused."""

from __future__ import annotations

import pytest

from mjcli.media.xmp import MOST_READ, BadPacket, Property, build, extend, parse

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"


def packet(body: str, about: str = "", prefix: str = "rdf", more: str = "") -> bytes:
    """A packet as other programs write it."""
    return (
        f'<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><{prefix}:RDF xmlns:{prefix}="{RDF}">'
        f'<{prefix}:Description {prefix}:about="{about}" xmlns:dc="{DC}"{more}>{body}</{prefix}:Description>'
        f'</{prefix}:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


@pytest.mark.parametrize(
    "text",
    ["a cat", '<b>&amp;"</b>', "]]>", "猫 😀 é", "two\nlines\tand\r\nmore", "{[%s]}", "<!-- x -->", "&#0;"],
)
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    written = build(
        [
            Property("dc:description", text, "alt"),
            Property("mj:Parents", [text, "second"], "seq"),
            Property("mj:Seed", text),
        ]
    )
    found = parse(written).properties
    assert found == {"dc:description": [text], "mj:Parents": [text, "second"], "mj:Seed": [text]}


def test_characters_that_xml_cannot_have_are_replaced() -> None:
    assert parse(build([Property("mj:Seed", "a\0b\x1bc\ufffed\ud800e")])).first("mj:Seed") == (
        "a\ufffdb\ufffdc\ufffdd\ufffde"
    )


def test_properties_are_added_to_a_packet_that_keeps_its_own() -> None:
    theirs = packet("<dc:description>theirs</dc:description>", about="uuid:1", prefix="r")
    ours = extend(theirs, [Property("dc:description", "ours", "alt"), Property("mj:Seed", "5")])
    found = parse(ours)
    assert found.properties == {"dc:description": ["theirs"], "mj:Seed": ["5"]}
    assert found.about == "uuid:1"
    assert ours.startswith(theirs[: theirs.index(b"</r:RDF>")])
    assert ours.endswith(theirs[theirs.index(b"</r:RDF>") :])


def test_attributes_lists_and_resources_are_read() -> None:
    found = parse(
        packet(
            "<dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>"
            '<dc:source rdf:resource="http://x/"/><dc:rights><rdf:Description dc:title="inner"/></dc:rights>',
            more=' dc:title="the title" xmlns:z="urn:z" z:other="1"',
        )
    ).properties
    assert found == {
        "dc:title": ["the title"],
        "urn:z:other": ["1"],
        "dc:subject": ["a", "b"],
        "dc:source": ["http://x/"],
        "dc:rights": [],
    }


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "bad",
    [
        ENTITIES + packet("<dc:title>&b;</dc:title>"),
        ENTITIES + packet("<dc:title>&c;</dc:title>"),
        b"<!DOCTYPE x>" + packet(""),
        packet("<dc:title>&unknown;</dc:title>"),
        packet("<dc:title>"),
        packet("").decode().encode("utf-16"),
        packet("\xff").replace("\xff".encode(), b"\xff"),
        packet("a" * MOST_READ),
        b"",
        b"not XML",
    ],
    ids=range(10),
)
def test_what_is_hostile_or_damaged_is_refused(bad: bytes) -> None:
    with pytest.raises(BadPacket):
        parse(bad)
    with pytest.raises(BadPacket):
        extend(bad, [Property("mj:Seed", "1")])


def test_nothing_is_added_to_a_packet_whose_description_is_not_clear() -> None:
    with pytest.raises(BadPacket):
        extend(packet("<!-- </rdf:RDF> -->"), [Property("mj:Seed", "1")])
    with pytest.raises(BadPacket):
        extend(b"<x/>", [Property("mj:Seed", "1")])


def test_deep_nesting_ends() -> None:
    deep = packet("<dc:title>" * 50_000 + "</dc:title>" * 50_000)
    assert len(deep) > MOST_READ
    shallow = packet("<dc:a>" * 30_000 + "</dc:a>" * 30_000)
    assert parse(shallow).properties == {"dc:a": []}
