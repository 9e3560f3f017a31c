"""Provenance in PNG, JPEG and WebP: the same pixels, what was there is kept, and what cannot be changed is not."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from mjcli.media import metadata as module
from mjcli.media.carriers import CannotCarry, packet_in, parts_of
from mjcli.media.metadata import SOURCE_TYPE, Embedded, Metadata, Provenance, embed, read, read_file
from mjcli.media.place import PartialFile, Saved, place
from mjcli.media.xmp import parse
from tests.media.test_xmp import packet
from tests.support.downloads import digest
from tests.support.images import WHOLE

ABOUT = Provenance(
    prompt='a "cat" & <dog> 猫 --ar 3:2',
    parameters="--ar 3:2",
    action="generate",
    service="Midjourney",
    host="https://api.example",
    version="7",
    seed="5",
    job="the-job",
    task_id="task-1",
    image_id="image-1",
    parents=("parent-1", "parent-2"),
    created_at=1_800_000_000.0,
    software="mj 1.0",
)
EMBEDDED = Embedded("https://api.example", "task-1", "image-1")


def picture(kind: str, **options: Any) -> bytes:
    """A file of noise as Pillow writes it, with transparency where the format has it."""
    rng = random.Random(5)
    size = (37, 21)  # odd numbers
    alpha = options.pop("alpha", kind != "JPEG")
    image = Image.frombytes("RGBA", size, rng.randbytes(size[0] * size[1] * 4))
    written = io.BytesIO()
    (image if alpha else image.convert("RGB")).save(written, kind, **options)
    return written.getvalue()


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.size, image.convert("RGBA").tobytes()


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x010E] = "a description"
    return tags.tobytes()


def texts() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Description", "theirs")
    info.add_itxt("XML:com.adobe.xmp", packet("<dc:title>theirs</dc:title>").decode(), zip=True)
    return info


FILES = {
    "PNG": picture("PNG"),
    "PNG without transparency": picture("PNG", alpha=False),
    "PNG with texts": picture("PNG", pnginfo=texts()),
    "JPEG": picture("JPEG", quality=90),
    "progressive JPEG with a profile": picture("JPEG", progressive=True, icc_profile=b"p" * 5000),
    "JPEG with Exif": picture("JPEG", exif=exif()),
    "JPEG with XMP": picture("JPEG", xmp=packet("<dc:title>theirs</dc:title>")),
    "WebP": picture("WEBP", alpha=False),
    "WebP with transparency": picture("WEBP"),
    "lossless WebP": picture("WEBP", lossless=True, exact=True),
    "lossless WebP without transparency": picture("WEBP", lossless=True, alpha=False),
    "WebP with Exif and a profile": picture("WEBP", exif=exif(), icc_profile=b"p" * 501),
    "WebP with XMP": picture("WEBP", xmp=packet("<dc:title>theirs</dc:title>")),
}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_the_same(name: str) -> None:
    changed = embed(FILES[name], ABOUT)
    assert changed != FILES[name]
    assert pixels(changed) == pixels(FILES[name])
    assert read(changed) == EMBEDDED


@pytest.mark.parametrize("name", FILES)
def test_every_other_part_of_the_file_is_the_same(name: str) -> None:
    def others(data: bytes) -> list[tuple[bytes, bytes]]:
        added = (b"VP8X", b"XMP ", b"iTXt", b"tEXt", b"\xe1")
        return [
            (each.kind, data[each.content : each.content_end])
            for each in parts_of(data)
            if each.kind not in added
        ]

    assert others(embed(FILES[name], ABOUT)) == others(FILES[name])


@pytest.mark.parametrize("name", [each for each in FILES if "Exif" in each])
def test_exif_and_profile_stay(name: str) -> None:
    with Image.open(io.BytesIO(embed(FILES[name], ABOUT))) as image:
        assert image.getexif()[0x010E] == "a description"
        assert ("profile" in name) == ("icc_profile" in image.info)


@pytest.mark.parametrize("name", ["PNG with texts", "JPEG with XMP", "WebP with XMP"])
def test_what_a_packet_says_already_is_kept(name: str) -> None:
    changed = packet_in(embed(FILES[name], ABOUT))
    assert changed is not None
    found = parse(changed).properties
    assert found["dc:title"] == ["theirs"]
    assert found["dc:description"] == [ABOUT.prompt]


def test_the_packet_has_the_standard_names() -> None:
    changed = packet_in(embed(FILES["PNG"], ABOUT))
    assert changed is not None
    assert parse(changed).properties == {
        "dc:description": [ABOUT.prompt],
        "dc:identifier": ["image-1"],
        "dc:type": ["Image"],
        "dc:date": ["2027-01-15T08:00:00Z"],
        "xmp:CreateDate": ["2027-01-15T08:00:00Z"],
        "xmp:CreatorTool": ["mj 1.0"],
        "photoshop:Credit": ["Midjourney"],
        "Iptc4xmpExt:DigitalSourceType": [SOURCE_TYPE],
        "Iptc4xmpExt:AISystemUsed": ["Midjourney"],
        "Iptc4xmpExt:AISystemVersionUsed": ["7"],
        "Iptc4xmpExt:AIPromptInformation": [ABOUT.prompt],
        "mj:Host": ["https://api.example"],
        "mj:Job": ["the-job"],
        "mj:TaskID": ["task-1"],
        "mj:ImageID": ["image-1"],
        "mj:Parents": ["parent-1", "parent-2"],
        "mj:Action": ["generate"],
        "mj:Parameters": ["--ar 3:2"],
        "mj:Seed": ["5"],
    }


def test_a_png_has_texts_unless_it_had_them() -> None:
    with Image.open(io.BytesIO(embed(FILES["PNG"], ABOUT))) as image:
        found = image.text  # type: ignore[attr-defined]
        assert (found["Description"], found["Software"], found["Source"]) == (
            ABOUT.prompt,
            "mj 1.0",
            "Midjourney",
        )
    with Image.open(io.BytesIO(embed(FILES["PNG with texts"], ABOUT))) as image:
        found = image.text  # type: ignore[attr-defined]
        assert (found["Description"], found["Software"]) == ("theirs", "mj 1.0")


def test_bytes_after_the_end_of_an_image_stay() -> None:
    for name in ("PNG", "JPEG", "WebP"):
        assert embed(FILES[name] + b"a video", ABOUT).endswith(b"a video")


def test_an_animated_image_stays_animated() -> None:
    frames = [Image.new("RGB", (8, 8), (n * 60, 0, 0)) for n in range(3)]
    for kind in ("PNG", "WEBP"):
        written = io.BytesIO()
        frames[0].save(written, kind, save_all=True, append_images=frames[1:])
        with Image.open(io.BytesIO(embed(written.getvalue(), ABOUT))) as image:
            assert image.n_frames == 3  # type: ignore[attr-defined]
            image.seek(2)


def test_embedding_twice_changes_nothing() -> None:
    for name in ("PNG", "JPEG", "WebP"):
        once = embed(FILES[name], ABOUT)
        assert embed(once, ABOUT) == once


@pytest.mark.parametrize("prompt", ["x" * 200_000, "猫" * 100_000, "&" * 100_000, "\x01" * 100_000])
def test_texts_are_bounded(prompt: str) -> None:
    parents = tuple("p" * 1000 for _ in range(2000))
    about = ABOUT._replace(prompt=prompt, parameters=prompt, parents=parents, version=prompt, action=prompt)
    for name in ("PNG", "JPEG", "WebP"):
        changed = embed(FILES[name], about)
        assert len(changed) < len(FILES[name]) + 100_000
        assert read(changed) == EMBEDDED


# -- what is not changed ---------------------------------------------------------------------------


def jumbf(data: bytes) -> bytes:
    """A JPEG with a segment as C2PA manifests have it."""
    content = b"JP\0\1\0\0\0\1" + b"\0\0\0\x10jumbc2pa"
    return data[:2] + b"\xff\xeb" + struct.pack(">H", 2 + len(content)) + content + data[2:]


def riff(data: bytes, kind: bytes) -> bytes:
    body = data[12:] + kind + struct.pack("<I", 4) + b"jumb"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


REMOTE = packet("", more=' xmlns:t="http://purl.org/dc/terms/" t:provenance="https://cai.example/1"')
MANIFESTS = {
    "PNG": FILES["PNG"][:33] + chunk(b"caBX", b"jumb") + FILES["PNG"][33:],
    "JPEG": jumbf(FILES["JPEG"]),
    "WebP": riff(FILES["WebP with Exif and a profile"], b"C2PA"),
    "remote": picture("JPEG", xmp=REMOTE),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_c2pa_manifest_is_never_changed(name: str) -> None:
    with pytest.raises(CannotCarry, match="C2PA"):
        embed(MANIFESTS[name], ABOUT)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (WHOLE["gif"], "format"),
        (WHOLE["mp4"], "format"),
        (WHOLE["avif"], "format"),
        (b"", "format"),
        (FILES["PNG"][:-4], "damaged"),
        (FILES["JPEG"][:300], "damaged"),
        (FILES["WebP"][:-4], "damaged"),
        (WHOLE["jpg"], "damaged"),
        (picture("JPEG", xmp=b"<!DOCTYPE x>" + packet("")), "document type"),
        (picture("JPEG", xmp=packet("a" * 64_000)), "long description"),
        (
            FILES["PNG"][:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0no zlib") + FILES["PNG"][33:],
            "damaged",
        ),
    ],
    ids=range(11),
)
def test_what_cannot_carry_metadata_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(CannotCarry, match=why):
        embed(data, ABOUT)


def test_a_jpeg_of_several_images_is_not_changed() -> None:
    written = io.BytesIO()
    first, second = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), (255, 0, 0))
    first.save(written, "MPO", save_all=True, append_images=[second])
    with pytest.raises(CannotCarry, match="several images"):
        embed(written.getvalue(), ABOUT)


def test_the_metadata_of_another_job_is_not_replaced() -> None:
    with pytest.raises(CannotCarry, match="another job"):
        embed(embed(FILES["PNG"], ABOUT), ABOUT._replace(task_id="task-2"))


# -- reading ---------------------------------------------------------------------------------------


def test_a_file_that_another_program_has_changed_is_read() -> None:
    with Image.open(io.BytesIO(embed(FILES["WebP"], ABOUT))) as image:
        kept = image.info["xmp"]
        written = io.BytesIO()
        image.convert("RGB").resize((8, 8)).save(written, "JPEG", xmp=kept)
    assert read(written.getvalue()) == EMBEDDED


@pytest.mark.parametrize(
    "fields",
    [
        'mj:TaskID="t" mj:ImageID="i"',
        'mj:Host="" mj:TaskID="t"',
        'mj:Host="a b" mj:TaskID="t"',
        f'mj:Host="{"h" * 300}" mj:TaskID="t"',
    ],
    ids=range(4),
)
def test_without_a_host_nothing_is_said(fields: str) -> None:
    assert read(picture("JPEG", xmp=packet("", more=f' xmlns:mj="urn:mjcli:xmp:1:" {fields}'))) is None


def test_ids_that_cannot_be_ids_are_not_read() -> None:
    fields = f' xmlns:mj="urn:mjcli:xmp:1:" mj:Host="h" mj:TaskID="&#8238;x" mj:ImageID="{"i" * 300}"'
    assert read(picture("JPEG", xmp=packet("", more=fields))) == Embedded("h", None, None)


def test_a_packed_packet_cannot_fill_the_memory() -> None:
    bomb = zlib.compress(b" " * 50_000_000)
    data = FILES["PNG"][:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb) + FILES["PNG"][33:]
    assert read(data) is None
    with pytest.raises(CannotCarry):
        embed(data, ABOUT)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_raise_nothing_else(name: str) -> None:
    rng = random.Random(name)
    whole = embed(FILES[name], ABOUT)
    for _ in range(150):
        data = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(8)):
            if data:
                data[rng.randrange(min(len(data), 3000))] = rng.randrange(256)
        read(bytes(data))
        try:
            embed(bytes(data), ABOUT)
        except CannotCarry:
            pass


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_file(tmp_path / "missing.png") is None
    assert read_file(tmp_path) is None
    file = tmp_path / "cat.png"
    file.write_bytes(embed(FILES["PNG"], ABOUT))
    assert read_file(file) == EMBEDDED
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    assert read_file(file) is None


# -- saving ----------------------------------------------------------------------------------------


def saved(tmp_path: Path, data: bytes, how: str, *, name: str = "cat.png", **options: Any) -> Saved:
    metadata = Metadata(how, ABOUT, **options)  # type: ignore[arg-type]
    return place(data, tmp_path / name, force=False, save=metadata.save)


def test_an_embedded_file_has_both_digests(tmp_path: Path) -> None:
    file = saved(tmp_path, FILES["PNG"], "embed")
    data = file.path.read_bytes()
    assert (file.sha256, file.received_sha256) == (digest(data), digest(FILES["PNG"]))
    assert data == embed(FILES["PNG"], ABOUT)
    assert [each.name for each in tmp_path.iterdir()] == ["cat.png"]


def test_a_sidecar_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    file = saved(tmp_path, FILES["PNG"], "sidecar")
    assert file.path.read_bytes() == FILES["PNG"]
    assert (file.sha256, file.received_sha256, file.notices) == (digest(FILES["PNG"]), "", ())
    assert json.loads((tmp_path / "cat.png.json").read_text(encoding="utf-8")) == {
        **ABOUT._asdict(),
        "created_at": "2027-01-15T08:00:00Z",
        "parents": ["parent-1", "parent-2"],
        "digital_source_type": SOURCE_TYPE,
    }


@pytest.mark.parametrize("data", [MANIFESTS["PNG"], WHOLE["gif"]], ids=["C2PA", "GIF"])
def test_a_file_that_is_not_changed_has_a_sidecar_and_a_notice(tmp_path: Path, data: bytes) -> None:
    file = saved(tmp_path, data, "embed", name="cat.x")
    assert file.path.read_bytes() == data
    assert file.received_sha256 == ""
    (notice,) = file.notices
    assert notice.startswith('"cat.x" ')
    assert notice.endswith(", so its metadata was saved beside it.")
    assert json.loads((tmp_path / "cat.x.json").read_text(encoding="utf-8"))["task_id"] == "task-1"


def test_without_room_for_a_second_file_the_first_is_saved(tmp_path: Path) -> None:
    attempts: list[PartialFile] = []

    def put(part: PartialFile) -> Saved:
        attempts.append(part)
        if len(attempts) == 1:
            raise OSError(28, "No space left on device")
        return real(part)

    def save(part: PartialFile, place_it: Any) -> Saved:
        nonlocal real
        real = place_it
        return Metadata("embed", ABOUT).save(part, put)

    real: Any = None
    file = place(FILES["PNG"], tmp_path / "cat.png", force=False, save=save)
    assert file.path.read_bytes() == FILES["PNG"]
    assert "no space left on device" in file.notices[0]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cat.png", "cat.png.json"]


def test_the_sidecar_of_another_job_is_not_replaced(tmp_path: Path) -> None:
    other = tmp_path / "cat.png.json"
    for content in (
        "mine",
        "{}",
        '{"task_id": "task-1"}',
        json.dumps(ABOUT._replace(task_id="2").document()),
    ):
        other.write_text(content)
        (tmp_path / "cat.png").unlink(missing_ok=True)
        file = saved(tmp_path, FILES["PNG"], "sidecar")
        assert other.read_text(encoding="utf-8") == content
        assert file.notices == ('"cat.png.json" already exists, so the metadata of "cat.png" was not saved.',)
    (tmp_path / "cat.png").unlink()
    assert saved(tmp_path, FILES["PNG"], "sidecar", force=True).notices == ()
    assert json.loads(other.read_text(encoding="utf-8"))["task_id"] == "task-1"


def test_the_sidecar_of_the_same_job_is_brought_up_to_date(tmp_path: Path) -> None:
    saved(tmp_path, FILES["PNG"], "sidecar")
    newer = Metadata("sidecar", ABOUT._replace(seed="6"))
    kept = newer.keep(Saved(tmp_path / "cat.png", kept=True))
    assert kept.notices == ()
    assert json.loads((tmp_path / "cat.png.json").read_text(encoding="utf-8"))["seed"] == "6"


def test_a_sidecar_that_cannot_be_written_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "cat.png.json").mkdir()
    file = saved(tmp_path, FILES["PNG"], "sidecar")
    assert file.path.read_bytes() == FILES["PNG"]
    assert len(file.notices) == 1


def test_an_unexpected_error_does_not_lose_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("broken")

    monkeypatch.setattr(module, "embed", broken)
    file = saved(tmp_path, FILES["PNG"], "embed")
    assert file.path.read_bytes() == FILES["PNG"]
    assert "RuntimeError: broken" in file.notices[0]
