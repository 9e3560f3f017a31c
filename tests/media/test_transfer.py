"""Transfers: what counts as complete, and what a resumed one must prove."""

from __future__ import annotations

import functools
import gzip
import io
import time
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import PIL.Image
import pytest

from mjcli.errors import DownloadError
from mjcli.media.download import Downloader
from mjcli.media.names import Target
from tests.support.downloads import FIELDS, IMAGE, cut_off, get, link, nothing_left, ranged, scripted
from tests.support.images import WHOLE, box, png
from tests.support.service import Received, Reply, Script, Service

packed = functools.partial(gzip.compress, mtime=0)  # the same in every worker of pytest

ETAG = {"etag": '"one"'}
LONG_AGO = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def fetch(pauses: list[float]) -> Iterator[Downloader]:
    with Downloader(
        allow_private=True, use_environment=False, stall_seconds=0.4, sleep=pauses.append
    ) as downloader:
        yield downloader


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "images"


def whole(data: bytes, status: int = 200, **headers: str) -> Script:
    return lambda _request, reply: reply.whole(
        data, status, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def closing(data: bytes, head: str = "") -> Script:
    """A response without a length."""

    def script(_request: Received, reply: Reply) -> None:
        reply.raw(f"HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n".encode() + data)
        reply.close()

    return script


def begin_of(request: Received) -> int:
    return int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))


def encoded(kind: str, **options: object) -> bytes:
    written = io.BytesIO()
    picture = PIL.Image.effect_noise((300, 300), 90).convert("RGB")
    picture.save(written, kind, **options)
    return written.getvalue()


# -- complete by the declared length ---------------------------------------------------------------------

ODD = {
    "trailing bytes": png(500) + b"more",
    "a JPEG with a video": encoded("JPEG") + box(b"ftyp", b"isom\0\0\2\0") + b"x" * 500,
    "a GIF with trailing bytes": encoded("GIF") + b"\0 trailing",
    "a cut PNG": png(500)[:-1],
    "a video without its boxes": box(b"ftyp", b"isom\0\0\2\0") + b"x" * 500,
    "unknown": b"\x00\x01\x02\x03 a format of the future" * 20,
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_a_file_that_is_complete_by_its_length_is_saved_at_once(
    service: Service, fetch: Downloader, place: Path, data: bytes
) -> None:
    saved = get(fetch, scripted(service, whole(data)), place)
    assert saved.path.read_bytes() == data
    assert len(service.gets()) == 1


def test_trailing_bytes_need_no_length(service: Service, fetch: Downloader, place: Path) -> None:
    for name in ("trailing bytes", "a JPEG with a video", "a GIF with trailing bytes"):
        saved = get(fetch, scripted(service, closing(ODD[name])), place, force=True)
        assert saved.path.read_bytes() == ODD[name]


@pytest.mark.parametrize(
    ("data", "content_type", "url", "extension"),
    [
        (WHOLE["avif"], "", "cat.png", "avif"),
        (box(b"ftyp", b"mif1\0\0\0\0mif1avif") + box(b"meta", b"idat" * 9), "", "cat.png", "avif"),
        (box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", b"x" * 9), "", "cat.png", "heic"),
        (b"\x1aE\xdf\xa3" + b"x" * 20, "video/mp4", "cat.mp4", "webm"),
        (packed(b"packed once more"), "image/png", "cat.png", "gz"),
        (b"\x00new format" * 9, "image/jxl; q=1", "cat.png", "jxl"),
        (b"\x00new format" * 9, "application/octet-stream", "cat.jxl", "jxl"),
        (b"\x00new format" * 9, "application/octet-stream", "cat.exe", "bin"),
        (b"\x00new format" * 9, "", "cat", "bin"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "cat", "svg"),
    ],
)
def test_a_format_without_a_known_end_gets_a_sensible_extension(
    service: Service, fetch: Downloader, place: Path, data: bytes, content_type: str, url: str, extension: str
) -> None:
    service.files[f"/files/{url}"] = whole(data, content_type=content_type)
    saved = get(fetch, link(service, url) + "?ex=1#x.gif", place)
    assert saved.path.name == f"a-cat_1.{extension}"
    assert saved.path.read_bytes() == data
    assert (not saved.notices) == (extension == "avif")


@pytest.mark.parametrize("script", [whole, closing], ids=["length", "no length"])
@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html><title>x</title>",
        b"\xef\xbb\xbf\n <HTML>",
        b"<script>location='/login'</script>",
        "<!DOCTYPE html><p>é".encode("latin-1") + b"x" * 50,
        "<html><p>gone".encode("utf-16"),
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b'{"error": "gone", "text": "' + b"x" * 5000 + b'"}',
        b' [{"a": 1}]',
        b"\x89PNG\r\n",
    ],
)
def test_pages_and_json_are_never_saved(
    service: Service, fetch: Downloader, place: Path, script: object, data: bytes
) -> None:
    with pytest.raises(DownloadError, match="nothing was saved"):
        get(fetch, scripted(service, script(data)), place)  # type: ignore[operator]
    assert nothing_left(place)


def test_text_is_saved_only_as_what_its_type_says(service: Service, fetch: Downloader, place: Path) -> None:
    with pytest.raises(DownloadError, match="is text"):
        get(fetch, scripted(service, whole(b"no such image, sorry", content_type="text/plain")), place)
    get(fetch, scripted(service, whole(b"a format in letters!", content_type="image/x-new")), place)


@pytest.mark.parametrize("name", ["cat.jpg", "cat.mp4", "cat.JPEG"])
def test_a_name_that_contradicts_the_bytes_is_used_with_a_notice(
    service: Service, fetch: Downloader, place: Path, name: str
) -> None:
    url = scripted(service, whole(IMAGE))
    (saved,), _ = fetch.save_all([url], Target(place, name), FIELDS)
    assert saved.path.name == name
    assert saved.notices == (f'"{saved.path}" is a PNG image, whatever its name says.',)


@pytest.mark.parametrize("name", ["cat.png", "cat.PNG", "cat", "cat.v2", "cat.dat"])
def test_a_name_that_does_not_contradict_the_bytes_needs_no_notice(
    service: Service, fetch: Downloader, place: Path, name: str
) -> None:
    (saved,), _ = fetch.save_all([scripted(service, whole(IMAGE))], Target(place, name), FIELDS)
    assert not saved.notices


def test_a_missing_link_is_a_failure_and_the_others_keep_their_numbers(
    service: Service, fetch: Downloader, place: Path
) -> None:
    for n in (1, 3):
        service.files[f"/files/{n}.png"] = png(n)
    urls = [link(service, "1.png"), None, link(service, "3.png")]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS)
    assert [each.path.name for each in saved] == ["a-cat_1_1.png", "a-cat_1_3.png"]
    assert [each.message for each in failures] == ["The service sent no link for file 2 of 3."]
    service.files["/files/2.png"] = png(2)
    fresh = [link(service, f"{n}.png") for n in (1, 2, 3)]
    saved, failures = fetch.save_all(urls, Target(place), FIELDS, refresh=lambda: fresh)
    assert [each.path.read_bytes() for each in saved] == [png(1), png(2), png(3)]


# -- retries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [9_000, 50_000, 90_000])
def test_a_server_that_cuts_off_again_and_again_is_outlasted(
    service: Service, fetch: Downloader, place: Path, step: int
) -> None:
    def script(request: Received, reply: Reply) -> None:
        begin = begin_of(request) if "range" in request.headers else 0
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        reply.head(206 if begin else 200, headers if begin else ETAG, length=len(data) - begin)
        reply.send(data[begin : begin + step])
        reply.close()

    data = png(700_000)
    assert get(fetch, scripted(service, script), place).path.read_bytes() == data


WEBP_BODY = b"VP8L" + (901).to_bytes(4, "little") + b"\x2f" * 901
FORGIVEN = {
    "a video with trailing text": WHOLE["mp4"] + b"trailing bytes at the end" * 40,
    "a WebP without its padding": b"RIFF" + (4 + len(WEBP_BODY)).to_bytes(4, "little") + b"WEBP" + WEBP_BODY,
}


@pytest.mark.parametrize("data", FORGIVEN.values(), ids=FORGIVEN)
def test_a_whole_file_of_an_unusual_writer_is_saved_after_a_resume(
    service: Service, fetch: Downloader, place: Path, data: bytes
) -> None:
    rest: Script = lambda q, r: ranged(q, r, data=data)  # noqa: E731
    saved = get(fetch, scripted(service, cut_off(100, ETAG, data), rest), place)
    assert saved.path.read_bytes() == data
    assert len(service.gets()) == 2


def test_a_video_that_lacks_the_end_of_a_box_is_incomplete(
    service: Service, fetch: Downloader, place: Path
) -> None:
    cut = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", b"y" * 30) + box(b"mdat", b"x" * 900)[:-1]
    with pytest.raises(DownloadError, match="incomplete"):
        get(fetch, scripted(service, closing(cut)), place)


def test_a_server_that_sends_a_few_bytes_each_time_is_given_up(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def script(request: Received, reply: Reply) -> None:
        begin = begin_of(request) if "range" in request.headers else 0
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(IMAGE) - 1}/{len(IMAGE)}"}
        reply.head(206 if begin else 200, headers if begin else ETAG, length=len(IMAGE) - begin)
        reply.send(IMAGE[begin : begin + 1])
        reply.close()

    with pytest.raises(DownloadError):
        get(fetch, scripted(service, script), place)
    assert len(service.gets()) <= 100


def test_a_short_transfer_is_not_lost(service: Service, fetch: Downloader, place: Path) -> None:
    get(fetch, scripted(service, cut_off(700, ETAG), ranged), place)
    assert begin_of(service.gets()[1]) == 700


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("99999999999999999999", 60, 60),
        ("-5", 0, 1),
        ("soon", 0, 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 60, 60),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0, 1),
        ("in 30 seconds", 20, 30),
        (formatdate(0, usegmt=True), 0, 1),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(
    service: Service,
    fetch: Downloader,
    place: Path,
    pauses: list[float],
    status: int,
    value: str,
    least: float,
    most: float,
) -> None:
    if value == "in 30 seconds":
        value = formatdate(time.time() + 30, usegmt=True)
    get(fetch, scripted(service, whole(b"", status, retry_after=value), ranged), place)
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


# -- a resume that is refused or answered oddly ----------------------------------------------------------


def slice_as_everything(request: Received, reply: Reply) -> None:
    reply.whole(IMAGE[begin_of(request) :], 200, ETAG)


def slice_without_a_length(request: Received, reply: Reply) -> None:
    closing(IMAGE[begin_of(request) :], 'etag: "one"\r\n')(request, reply)


def range_of_bytes(request: Received, reply: Reply, **changes: object) -> None:
    """A correct partial response, but for the changes."""
    begin = begin_of(request)
    fields = {
        "etag": '"one"',
        "first": begin,
        "last": len(IMAGE) - 1,
        "total": len(IMAGE),
        "data": IMAGE[begin:],
    }
    fields |= changes
    headers = {"content-range": "bytes {first}-{last}/{total}".format(**fields)}
    headers |= {"etag": str(fields["etag"])} if fields["etag"] else {}
    reply.whole(bytes(fields["data"]), 206, headers)  # type: ignore[call-overload]


def fewer_in_chunks(request: Received, reply: Reply) -> None:
    reply.head(206, {**ETAG, "content-range": f"bytes {begin_of(request)}-{len(IMAGE) - 1}/{len(IMAGE)}"})
    reply.send(b"x" * 10)
    reply.end()


ANSWERS: dict[str, Script] = {
    **{f"{n}": whole(b"no", n, **ETAG) for n in (204, 304, 400, 401, 403, 404, 405, 412, 416, 501)},
    "a slice as 200": slice_as_everything,
    "a slice as 200 without a length": slice_without_a_length,
    "a slice as 200 with another ETag": lambda q, r: r.whole(IMAGE[begin_of(q) :], 200, {"etag": '"two"'}),
    "a slice as 203 with a date": lambda q, r: r.whole(
        IMAGE[begin_of(q) :], 203, {"last-modified": LONG_AGO}
    ),
    "no ETag": lambda q, r: range_of_bytes(q, r, etag=None),
    "a weak ETag": lambda q, r: range_of_bytes(q, r, etag='W/"one"'),
    "another ETag": lambda q, r: range_of_bytes(q, r, etag='"two"'),
    "another start": lambda q, r: range_of_bytes(q, r, first=1000, data=IMAGE[1000:]),
    "another total": lambda q, r: range_of_bytes(q, r, total=len(IMAGE) + 1),
    "an end behind the total": lambda q, r: range_of_bytes(q, r, last=len(IMAGE)),
    "an end before the start": lambda q, r: range_of_bytes(q, r, last=5),
    "fewer bytes than its range": lambda q, r: range_of_bytes(q, r, data=IMAGE[begin_of(q) : -50]),
    "more bytes than its range": lambda q, r: range_of_bytes(q, r, data=IMAGE[begin_of(q) :] + b"more"),
    "a nonsense range": lambda q, r: range_of_bytes(q, r, first="x"),
    "the bytes of another image": lambda q, r: range_of_bytes(q, r, data=png(199_999)[begin_of(q) - 1 :]),
    "fewer bytes in chunks": fewer_in_chunks,
    "compressed": lambda q, r: r.whole(
        packed(IMAGE[begin_of(q) :]), 206, {**ETAG, "content-encoding": "gzip"}
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_resume_that_is_answered_oddly_restarts(
    service: Service, fetch: Downloader, place: Path, answer: Script
) -> None:
    def script(request: Received, reply: Reply) -> None:
        if "range" in request.headers:
            answer(request, reply)
        elif len(service.gets()) == 1:
            cut_off(100_000, ETAG)(request, reply)
        else:
            reply.whole(IMAGE, 200, ETAG)

    assert get(fetch, scripted(service, script), place).path.read_bytes() == IMAGE
    assert "range" in service.gets()[1].headers
    assert "range" not in service.gets()[-1].headers


def test_a_total_that_the_range_does_not_know_is_taken_from_the_first_response(
    service: Service, fetch: Downloader, place: Path
) -> None:
    star: Script = lambda q, r: range_of_bytes(q, r, total="*")  # noqa: E731
    get(fetch, scripted(service, cut_off(100_000, ETAG), star), place)
    assert len(service.gets()) == 2


@pytest.mark.parametrize("total", [str(len(IMAGE)), "*"])
def test_a_part_that_is_everything_is_saved(
    service: Service, fetch: Downloader, place: Path, total: str
) -> None:
    headers = {**ETAG, "content-range": f"bytes 0-{len(IMAGE) - 1}/{total}"}
    url = scripted(service, lambda _request, reply: reply.whole(IMAGE, 206, headers))
    assert get(fetch, url, place).path.read_bytes() == IMAGE
    assert len(service.gets()) == 1


@pytest.mark.parametrize("data", [IMAGE[:-1], b"\0new format" * 900], ids=["cut PNG", "unknown format"])
def test_a_part_of_unknown_total_is_not_saved_when_nothing_shows_its_end(
    service: Service, fetch: Downloader, place: Path, data: bytes
) -> None:
    headers = {**ETAG, "content-range": f"bytes 0-{len(data) - 1}/*"}
    with pytest.raises(DownloadError, match="incomplete"):
        get(fetch, scripted(service, lambda _request, reply: reply.whole(data, 206, headers)), place)
    assert nothing_left(place)


def test_a_date_that_is_not_older_than_the_response_does_not_identify_a_file(
    service: Service, fetch: Downloader, place: Path
) -> None:
    now = {"last-modified": formatdate(time.time() + 5, usegmt=True)}
    get(fetch, scripted(service, cut_off(100_000, now), ranged), place)
    assert "range" not in service.gets()[1].headers


@pytest.mark.parametrize("etag", ['W/"2"', '"2"'])
def test_a_date_does_not_confirm_a_part_whose_etag_has_changed(
    service: Service, fetch: Downloader, place: Path, etag: str
) -> None:
    data, changed = (b"\0new format" + each * 900 for each in (b"a", b"b"))

    def script(request: Received, reply: Reply) -> None:
        headers = {"etag": etag, "last-modified": LONG_AGO}
        if "range" not in request.headers:
            reply.whole(changed, 200, headers)
            return
        begin = begin_of(request)
        headers["content-range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        reply.whole(changed[begin:], 206, headers)

    first = cut_off(500, {"etag": 'W/"1"', "last-modified": LONG_AGO}, data)
    assert get(fetch, scripted(service, first, script), place).path.read_bytes() == changed
    assert service.gets()[1].headers["if-range"] == LONG_AGO


@pytest.mark.parametrize("etag", ["", '""', "one", "*", '"one", "two"', 'w/"one"'])
def test_an_etag_that_is_not_strong_is_never_sent(
    service: Service, fetch: Downloader, place: Path, etag: str
) -> None:
    get(fetch, scripted(service, cut_off(100_000, {"etag": etag}), ranged), place)
    assert not any("if-range" in each.headers or "range" in each.headers for each in service.gets())


def spliced(data: bytes, other: bytes, at: int) -> tuple[Script, Script]:
    """A file that is cut at `at`, and a range that belongs to another file of the same length and ETag."""

    def rest(request: Received, reply: Reply) -> None:
        begin = begin_of(request)
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        reply.whole(other[begin:], 206, headers)

    return cut_off(at, ETAG, data), rest


def chunked_png(colour: int) -> bytes:
    """A PNG in two IDAT chunks of fixed lengths, so that parts of two such files fit together."""
    data = png()
    pixels = zlib.compress(bytes([0, colour]), 0)
    first, second = pixels[:9], pixels[9:]  # the checksum of all pixels comes last

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    return data[:33] + chunk(b"IDAT", first) + chunk(b"IDAT", second) + data[-12:]


@pytest.mark.parametrize(
    ("data", "other", "at"),
    [
        (IMAGE, IMAGE[:150_000] + b"other" + IMAGE[150_005:], 100_000),
        (chunked_png(1), chunked_png(2), 54),
        (encoded("GIF"), b"\xff" * len(encoded("GIF")), 20_000),
        (encoded("WEBP"), b"\xff" * len(encoded("WEBP")), 30),
        (encoded("JPEG"), b"\0" * len(encoded("JPEG")), 20_000),
        (WHOLE["mp4"], b"\xff" * len(WHOLE["mp4"]), 60),
    ],
    ids=["checksum", "between chunks", "gif", "webp", "jpg", "mp4"],
)
def test_a_spliced_file_is_downloaded_again(
    service: Service, fetch: Downloader, place: Path, data: bytes, other: bytes, at: int
) -> None:
    cut, rest = spliced(data, other, at)
    saved = get(fetch, scripted(service, cut, rest, whole(data)), place)
    assert saved.path.read_bytes() == data
    assert len(service.gets()) == 3


def test_a_file_that_stays_spliced_is_not_saved(service: Service, fetch: Downloader, place: Path) -> None:
    cut, rest = spliced(IMAGE, b"x" * len(IMAGE), 100_000)
    url = scripted(service, lambda q, r: (rest if "range" in q.headers else cut)(q, r))
    with pytest.raises(DownloadError, match="do not fit together"):
        get(fetch, url, place)
    assert len(service.gets()) <= 20
    assert nothing_left(place)


def test_a_file_that_is_odd_itself_is_saved_when_its_parts_always_make_the_same_bytes(
    service: Service, fetch: Downloader, place: Path
) -> None:
    def script(request: Received, reply: Reply) -> None:
        begin = begin_of(request) if "range" in request.headers else 0
        headers = {**ETAG, "content-range": f"bytes {begin}-{len(odd) - 1}/{len(odd)}"}
        reply.head(206 if begin else 200, headers if begin else ETAG, length=len(odd) - begin)
        reply.send(odd[begin : begin + 20_000])
        reply.close()

    odd = IMAGE[:-3]
    saved = get(fetch, scripted(service, script), place)
    assert saved.path.read_bytes() == odd
    assert saved.notices == (f'"{saved.path}" was received in full, but it looks incomplete.',)


def test_a_server_with_wrong_ranges_is_believed_once_it_sends_everything(
    service: Service, fetch: Downloader, place: Path
) -> None:
    cut, rest = spliced(IMAGE, b"x" * len(IMAGE), 100_000)
    url = scripted(service, cut, rest, whole(IMAGE, etag='"one"'))
    assert get(fetch, url, place).path.read_bytes() == IMAGE
    assert len(service.gets()) == 3


def test_the_digest_is_that_of_the_file_after_resumes_and_restarts(
    service: Service, fetch: Downloader, place: Path
) -> None:
    import hashlib

    scripts = (cut_off(9_000, ETAG), whole(b"", 416), cut_off(70_000, ETAG), ranged)
    saved = get(fetch, scripted(service, *scripts), place)
    assert saved.sha256 == hashlib.sha256(saved.path.read_bytes()).hexdigest()
