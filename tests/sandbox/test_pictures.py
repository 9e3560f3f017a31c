"""What is drawn."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from mjcli.sandbox import font, pictures
from mjcli.sandbox.scenes import PALETTES, SCENES, Panel

from .conftest import NDJSON, Client, decode_png


def test_addresses_give_pictures_of_the_size_they_tell(client: Client) -> None:
    for result in (client.imagine("a cat --ar 3:2"), client.imagine("a cat --ar 1:9")):
        for name in ("image", "raw_image"):
            png = decode_png(client.get(result[f"{name}_url"]).body)
            assert (png.width, png.height) == (result[f"{name}_width"], result[f"{name}_height"])


def test_an_upscale_shows_its_quadrant_of_the_grid(client: Client) -> None:
    grid = client.imagine("a cat on a table", split_images=True)
    whole = decode_png(client.get(grid["raw_image_url"]).body)
    corners = {1: (0, 0), 2: (512, 0), 3: (0, 512), 4: (512, 512)}
    for number, corner in corners.items():
        quadrant = whole.part(*corner, 512, 512)
        single = client.action(f"upscale{number}", grid["image_id"])
        assert decode_png(client.get(single["raw_image_url"]).body).every_second() == quadrant
        assert decode_png(client.get(grid["sub_image_urls"][number - 1]).body).rows == quadrant


def test_a_thumbnail_is_the_picture_at_half_the_size(client: Client) -> None:
    grid = client.imagine("a cat on a table")
    raw = decode_png(client.get(grid["raw_image_url"]).body)
    assert decode_png(client.get(grid["image_url"]).body).rows == raw.every_second()


def test_four_quadrants_differ_much() -> None:
    for seed in range(20):
        grid = pictures.new_grid("a cat", seed, None)
        assert len({panel.scene % SCENES for panel in grid.panels}) == 4
        assert len({panel.palette % PALETTES for panel in grid.panels}) == 4


def test_the_same_words_and_seed_give_the_same_picture(client: Client) -> None:
    def drawn(prompt: str) -> bytes:
        return client.get(client.imagine(prompt)["image_url"]).body

    assert drawn("a cat --seed 7") == drawn("a cat --seed 7")
    assert drawn("a cat --seed 7") != drawn("a cat --seed 8")
    assert drawn("a cat --seed 7") != drawn("a dog --seed 7")
    assert drawn("a cat") != drawn("a cat")


def test_every_scene_can_be_drawn_from_anywhere_at_any_size() -> None:
    for scene in range(SCENES):
        for view in ((0.0, 0.0, 1.0, 1.0), (-40.0, 3.0, 1e6, 1e6), (0.25, -9.0, 0.5, 0.5)):
            for base in ((512, 512), (24, 1256), (1256, 24)):
                panel = Panel("key", scene, scene, view=view)
                picture = pictures.Picture(base, 1, (panel,), "a cat")
                size = (base[0] // 4, base[1] // 4)
                assert (decode_png(pictures.draw(picture, size)).width) == size[0]


def test_little_progress_is_drawn_in_coarse_blocks() -> None:
    grid = pictures.new_grid("a cat", 1, None)

    def changes(progress: int) -> int:
        png = decode_png(pictures.draw_unfinished(grid, (512, 512), progress))
        top = png.part(0, 0, 512, 200)  # above the words
        return sum(above != below for above, below in itertools.pairwise(top))

    counts = [changes(progress) for progress in (0, 31, 62, 93)]
    assert counts == sorted(set(counts)), counts


def test_pictures_of_a_running_job_are_coarse_and_gone_when_it_ends(run: Callable[..., Client]) -> None:
    client = run(seconds=1.0)
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=20)
    connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
    response = connection.getresponse()
    first = json.loads(response.readline())
    running = client.get(first["raw_image_url"])
    assert running.status == 200
    png = decode_png(running.body)
    assert (png.width, png.height) == (first["raw_image_width"], first["raw_image_height"])
    assert png.pixel(0, 0) == png.pixel(11, 11)
    response.read()
    connection.close()
    assert client.get(first["raw_image_url"]).status == 404


def test_sandbox_is_written_on_every_panel() -> None:
    grid = pictures.new_grid("a cat", 1, None)
    png = decode_png(pictures.draw(grid, grid.raw_size))
    dots = font.runs("SANDBOX")
    for left, top in ((0, 0), (512, 0), (0, 512), (512, 512)):
        rows = png.part(left, top, 512, 512)
        found = None
        for y, row in enumerate(rows):  # the title begins at 16 pixels and has dots of 4
            lit = [a for a, _ in dots[0]]
            if all(row[3 * (16 + 4 * a) : 3 * (16 + 4 * a) + 3] == b"\xff\xff\xff" for a in lit):
                found = y
                break
        assert found is not None
        for number, runs in enumerate(dots):
            row = rows[found + 4 * number]
            for begin, end in runs:
                assert row[3 * (16 + 4 * begin) : 3 * (16 + 4 * end)] == b"\xff" * (12 * (end - begin))


def test_text_becomes_what_the_font_has() -> None:
    assert font.printable("Café\n\x1b猫  {ok}") == "CAFE ??  {OK}".replace("??  ", "? ")
    assert len(font.runs(font.printable("".join(map(chr, range(0x250)))))) == 7


def test_variations_keep_to_their_picture_and_strong_ones_do_not() -> None:
    single = pictures.upscaled(pictures.new_grid("a cat", 1, None), 3)
    subtle = pictures.varied(single, 1, 5, 0.12)
    strong = pictures.varied(single, 1, 5, 1.0)
    size = single.base

    def same(other: pictures.Picture) -> float:
        left = pictures.upscaled(other, 2)
        one, two = (decode_png(pictures.draw(p, size)) for p in (single, left))
        pairs = zip(b"".join(one.rows), b"".join(two.rows), strict=True)
        return sum(a == b for a, b in pairs) / (3 * size[0] * size[1])

    assert same(strong) < same(subtle) < 1
