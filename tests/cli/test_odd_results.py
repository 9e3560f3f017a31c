"""Results that are saved although they are odd, and downloads that end although their server does not."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import PIL.Image
import pytest

from tests.support.earlier import SAVED
from tests.support.images import WHOLE, png
from tests.support.program import Mj, files
from tests.support.service import Received, Reply, Service

CAT = ("imagine", "a cat", "--download")


@pytest.fixture
def cat(service: Service) -> Service:
    service.answer(service.result())
    return service


@pytest.mark.parametrize(
    ("data", "extension", "notice"),
    [
        (png(500) + b"trailing", "png", None),
        (WHOLE["avif"], "avif", None),
        (png(500)[:-20], "png", "looks incomplete"),
        (WHOLE["mp4"][:60], "mp4", "looks incomplete"),
        (b"\x00new" * 90, "png", "unknown format"),
    ],
)
def test_a_result_that_is_complete_by_its_length_is_saved(
    online: Mj, cat: Service, data: bytes, extension: str, notice: str | None
) -> None:
    cat.files["/files/cat.png"] = data
    result = online(*CAT, "--json")
    (saved,) = result.answer["files"]
    assert Path(saved).name == SAVED.replace("png", extension)
    assert Path(saved).read_bytes() == data
    assert (notice or "") in result.err
    assert len(cat.gets()) == 1
    assert online("resume").out == ""


def test_a_saved_result_of_an_unknown_format_stays_one_file(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = b"\x00new" * 90
    online(*CAT)
    for _ in range(2):
        assert len(online("download", "@last", "--json").answer["files"]) == 1
    assert files(online) == [SAVED]


def test_a_name_that_contradicts_the_bytes_is_used_with_a_notice(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = png()
    result = online("imagine", "a cat", "-o", "cat.jpg")
    assert "is a PNG image, whatever its name says" in result.err
    assert files(online) == ["cat.jpg"]


@pytest.mark.slow
def test_a_bomb_is_not_unpacked(online: Mj, cat: Service) -> None:
    bomb = gzip.compress(gzip.compress(bytes(30_000_000)))
    cat.files["/files/cat.png"] = lambda _r, reply: reply.whole(
        bomb, headers={"content-encoding": "gzip,gzip"}
    )
    assert "content coding" in online(*CAT, check=8).err
    cat.files["/files/cat.png"] = lambda _r, reply: reply.whole(
        gzip.compress(png() + bytes(30_000_000)), headers={"content-encoding": "gzip"}
    )
    assert "larger than 1 MB" in online("resume", "--max-size", "1M", check=8).err
    assert files(online) == []


@pytest.mark.parametrize("target", ["http://a..b/", f"http://{'x' * 64}.example/", "http://\ud800/"])
def test_a_host_name_that_cannot_exist_is_a_missing_file(online: Mj, cat: Service, target: str) -> None:
    cat.answer(cat.result(raw_image_url=target))
    answer = online(*CAT, "--json", check=8).answer
    assert answer["error"]["code"] == "download"
    assert answer["raw_image_url"] == target


def multi_picture() -> bytes:
    written = io.BytesIO()
    first, second = (PIL.Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    first.save(written, "MPO", save_all=True, append_images=[second])
    return written.getvalue()


def test_a_grid_in_an_odd_format_is_split(online: Mj, cat: Service) -> None:
    cat.files["/files/cat.png"] = multi_picture()
    assert len(online("imagine", "a cat", "--split", "--json").answer["files"]) == 5


def test_a_grid_with_two_headers_fails_only_its_parts(online: Mj, cat: Service) -> None:
    import struct
    import zlib

    data = png()
    again = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    again = struct.pack(">I", 13) + again + struct.pack(">I", zlib.crc32(again))
    header = b"IHDR" + struct.pack(">IIBBBBB", 40, 40, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    cat.files["/files/cat.png"] = data[:8] + header + again + data[33:]
    result = online("imagine", "a cat", "--split", "--json", check=8)
    assert len(result.answer["files"]) == 1
    assert "cannot be split" in result.err


@pytest.mark.slow
def test_many_jobs_of_one_command_share_connections(online: Mj, cat: Service) -> None:
    for n in range(12):
        cat.files[f"/files/{n}.png"] = png(n)
        url = f"{cat.base_url}/files/{n}.png"
        cat.answer(cat.result(raw_image_url=url, task_id=f"task-{n}", image_id=f"image-{n}"))
        online("imagine", "a cat")
    online("download", *(f"task-{n}" for n in range(12)), "-o", "all/")
    assert len({each.port for each in cat.gets()}) == 1
    assert len(files(online)) == 12


def test_a_server_that_cuts_off_again_and_again_is_outlasted(online: Mj, cat: Service) -> None:
    data = png(500_000)

    def script(request: Received, reply: Reply) -> None:
        begin = int(request.headers.get("range", "bytes=0-")[6:-1])
        headers = {"etag": '"1"', "content-range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        reply.head(206 if begin else 200, headers, length=len(data) - begin)
        reply.send(data[begin : begin + 50_000])
        reply.close()

    cat.files["/files/cat.png"] = script
    online(*CAT)
    assert (online.cwd / SAVED).read_bytes() == data
