"""XMP packets: a new one, an existing one with more properties, and what one contains.

A packet comes with a file from anywhere: its size is limited, and one with a document type, which could define
entities, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

MOST_READ = 1024 * 1024  # bytes of a packet
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mj": "urn:mjcli:xmp:1:",
}
_PREFIXES = {uri: prefix for prefix, uri in _NAMESPACES.items()}
_SEPARATOR = " "  # between a namespace and a name, as Expat returns them
_START = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
_END = '</x:xmpmeta>\n<?xpacket end="w"?>'
_CLOSING = re.compile(r"</[A-Za-z_][\w.-]*:RDF\s*>")
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadPacket(ValueError):
    """A packet that cannot be read, or to which nothing can be added."""


class Property(NamedTuple):
    """A property such as `dc:description`: a text, the text in the default language, or a list."""

    name: str
    value: str | Sequence[str]
    form: Literal["text", "alt", "seq", "bag"] = "text"


class Packet(NamedTuple):
    """What a packet says: each property by its name (`dc:description`) with its values, and what it is about.

    Those of unknown namespaces have the namespace as their prefix.
    """

    properties: dict[str, list[str]]
    about: str

    def first(self, name: str) -> str | None:
        """The first value of a property."""
        return next(iter(self.properties.get(name, ())), None)


def build(properties: Iterable[Property]) -> bytes:
    """Return a new packet."""
    body = _description(properties, "")
    return f'{_START}<rdf:RDF xmlns:rdf="{_RDF}">\n{body}</rdf:RDF>\n{_END}'.encode()


def extend(packet: bytes, properties: Iterable[Property]) -> bytes:
    """Return a packet with the properties that it does not have. Raises `BadPacket`."""
    found = parse(packet)
    new = [each for each in properties if each.name not in found.properties]
    text = packet.decode()
    ends = list(_CLOSING.finditer(text))
    if len(ends) != 1:
        raise BadPacket("it does not have one description")
    at = ends[0].start()
    return (text[:at] + _description(new, found.about) + text[at:]).encode()


def parse(packet: bytes) -> Packet:
    """Return what a packet says. Raises `BadPacket`."""
    if len(packet) > MOST_READ:
        raise BadPacket("it is too large")
    try:
        packet.decode()
    except UnicodeDecodeError:
        raise BadPacket("it is not UTF-8") from None
    reader, parser = _Reader(), ParserCreate("utf-8", namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(packet.strip(b"\0"), True)
    except ExpatError as error:
        raise BadPacket("it is not XML") from error
    return Packet(reader.properties, reader.about)


def _refuse_doctype(*_: object) -> None:
    raise BadPacket("it has a document type")


# -- writing ---------------------------------------------------------------------------------------


def _description(properties: Iterable[Property], about: str) -> str:
    used = list(properties)
    prefixes = dict.fromkeys(each.name.partition(":")[0] for each in used)
    spaces = "".join(f'\n  xmlns:{each}="{_NAMESPACES[each]}"' for each in prefixes)
    lines = "".join(f" {_element(each)}\n" for each in used)
    start = f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{_escaped(about)}"{spaces}>'
    return f"{start}\n{lines}</rdf:Description>\n"


def _element(each: Property) -> str:
    if isinstance(each.value, str):
        content = _escaped(each.value)
        if each.form == "alt":
            content = f'<rdf:Alt><rdf:li xml:lang="x-default">{content}</rdf:li></rdf:Alt>'
    else:
        items = "".join(f"<rdf:li>{_escaped(item)}</rdf:li>" for item in each.value)
        kind = "Bag" if each.form == "bag" else "Seq"
        content = f"<rdf:{kind}>{items}</rdf:{kind}>"
    return f"<{each.name}>{content}</{each.name}>"


def _escaped(text: str) -> str:
    """Text as content or attribute of XML; characters that XML cannot have are replaced."""
    text = _ILLEGAL.sub("\ufffd", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\r", "&#13;")):
        text = text.replace(character, entity)
    return text


# -- reading ---------------------------------------------------------------------------------------


class _Reader:
    """Collects the properties of the top descriptions: simple ones and lists; of others only the name."""

    def __init__(self) -> None:
        self.properties: dict[str, list[str]] = {}
        self.about = ""
        self._open: list[str] = []
        self._texts: list[str] = []
        self._items: list[str] = []
        self._top = 0  # how many elements are open at a property

    def start(self, name: str, attributes: dict[str, Any]) -> None:
        self._open.append(name)
        depth = len(self._open)
        if self._open[-2:] == [f"{_RDF}{_SEPARATOR}RDF", f"{_RDF}{_SEPARATOR}Description"] and not self._top:
            self._top = depth + 1
            for key, value in attributes.items():
                self._attribute(key, value)
        elif self._top and depth == self._top:
            self._texts, self._items = [], []
            resource = attributes.get(f"{_RDF}{_SEPARATOR}resource")
            if resource is not None:
                self._items.append(resource)
        elif self._in_item:
            self._texts = []

    def end(self, name: str) -> None:
        depth = len(self._open)
        if self._top and depth == self._top:
            text = "".join(self._texts).strip()
            values = self._items or ([text] if text else [])
            self.properties.setdefault(_short(name), []).extend(values)
            self._texts = []
        elif self._in_item:
            self._items.append("".join(self._texts))
            self._texts = []
        elif self._top and depth == self._top - 1:
            self._top = 0
        self._open.pop()

    def text(self, data: str) -> None:
        if self._top and (len(self._open) == self._top or self._in_item):
            self._texts.append(data)

    @property
    def _in_item(self) -> bool:
        """Whether the open element is an item of a list that is the value of a property."""
        return (
            bool(self._top) and len(self._open) == self._top + 2 and self._open[-1] == f"{_RDF}{_SEPARATOR}li"
        )

    def _attribute(self, key: str, value: str) -> None:
        if key in (f"{_RDF}{_SEPARATOR}about", "about"):
            self.about = self.about or value
        elif _SEPARATOR in key and not key.startswith(_RDF):
            self.properties.setdefault(_short(key), []).append(value)


def _short(name: str) -> str:
    """A name with the usual prefix of its namespace."""
    uri, _, local = name.rpartition(_SEPARATOR)
    return f"{_PREFIXES.get(uri, uri)}:{local}"
