"""The images of the sandbox."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from mjcli.sandbox import drawing, font, images
from mjcli.sandbox.scenes import PALETTES, SCENES, Panel
from tests.support.sandbox import NDJSON, Client, decode_png


@pytest.mark.slow
def test_links_lead_to_images_of_the_reported_size(client: Client) -> None:
    for result in (client.imagine("a cat --ar 3:2"), client.imagine("a cat --ar 1:9")):
        for name in ("image", "raw_image"):
            png = decode_png(client.get(result[f"{name}_url"]).body)
            assert (png.width, png.height) == (result[f"{name}_width"], result[f"{name}_height"])


@pytest.mark.slow
def test_an_upscale_shows_its_quadrant_of_the_grid(client: Client) -> None:
    grid = client.imagine("a cat on a table", split_images=True)
    whole = decode_png(client.get(grid["raw_image_url"]).body)
    corners = {1: (0, 0), 2: (512, 0), 3: (0, 512), 4: (512, 512)}
    for number, corner in corners.items():
        quadrant = whole.part(*corner, 512, 512)
        single = client.action(f"upscale{number}", grid["image_id"])
        assert decode_png(client.get(single["raw_image_url"]).body).every_second() == quadrant
        assert decode_png(client.get(grid["sub_image_urls"][number - 1]).body).rows == quadrant


def test_a_thumbnail_is_the_image_at_half_the_size(client: Client) -> None:
    grid = client.imagine("a cat on a table")
    raw = decode_png(client.get(grid["raw_image_url"]).body)
    assert decode_png(client.get(grid["image_url"]).body).rows == raw.every_second()


def test_the_quadrants_of_a_grid_differ_in_scene_and_palette() -> None:
    for seed in range(20):
        grid = images.new_grid("a cat", seed, None)
        assert len({panel.scene % SCENES for panel in grid.panels}) == 4
        assert len({panel.palette % PALETTES for panel in grid.panels}) == 4


@pytest.mark.slow
def test_the_same_words_and_seed_give_the_same_image(client: Client) -> None:
    def image(prompt: str) -> bytes:
        return client.get(client.imagine(prompt)["image_url"]).body

    assert image("a cat --seed 7") == image("a cat --seed 7")
    assert image("a cat --seed 7") != image("a cat --seed 8")
    assert image("a cat --seed 7") != image("a dog --seed 7")
    assert image("a cat") != image("a cat")


def test_every_scene_can_be_drawn_with_any_view_and_size() -> None:
    for scene in range(SCENES):
        for view in ((0.0, 0.0, 1.0, 1.0), (-40.0, 3.0, 1e6, 1e6), (0.25, -9.0, 0.5, 0.5)):
            for base in ((512, 512), (24, 1256), (1256, 24)):
                panel = Panel("key", scene, scene, view=view)
                image = images.Image(base, 1, (panel,), "a cat")
                size = (base[0] // 4, base[1] // 4)
                assert (decode_png(drawing.draw(image, size)).width) == size[0]


def test_an_unfinished_image_gets_finer_with_its_progress() -> None:
    grid = images.new_grid("a cat", 1, None)

    def changes(progress: int) -> int:
        png = decode_png(drawing.draw_unfinished(grid, (512, 512), progress))
        top = png.part(0, 0, 512, 200)  # above the words
        return sum(above != below for above, below in itertools.pairwise(top))

    counts = [changes(progress) for progress in (0, 31, 62, 93)]
    assert counts == sorted(set(counts)), counts


def test_the_images_of_a_running_job_are_coarse_and_disappear_when_it_ends(
    run: Callable[..., Client], let_pass: Callable[[float], None]
) -> None:
    client = run(seconds=60)
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.base_url).netloc, timeout=20)
    connection.request("POST", "/midjourney/imagine", json.dumps({"prompt": "a cat"}), NDJSON)
    response = connection.getresponse()
    first = json.loads(response.readline())
    running = client.get(first["raw_image_url"])
    assert running.status == 200
    png = decode_png(running.body)
    assert (png.width, png.height) == (first["raw_image_width"], first["raw_image_height"])
    assert png.pixel(0, 0) == png.pixel(11, 11)
    connection.close()
    let_pass(60)
    assert client.get(first["raw_image_url"]).status == 404


def test_every_panel_is_labelled_sandbox() -> None:
    grid = images.new_grid("a cat", 1, None)
    png = decode_png(drawing.draw(grid, grid.raw_size))
    dots = font.runs("SANDBOX")
    for left, top in ((0, 0), (512, 0), (0, 512), (512, 512)):
        rows = png.part(left, top, 512, 512)
        found = None
        for y, row in enumerate(rows):  # the title starts at 16 pixels, and its dots have 4 pixels
            lit = [a for a, _ in dots[0]]
            if all(row[3 * (16 + 4 * a) : 3 * (16 + 4 * a) + 3] == b"\xff\xff\xff" for a in lit):
                found = y
                break
        assert found is not None
        for number, runs in enumerate(dots):
            row = rows[found + 4 * number]
            for begin, end in runs:
                assert row[3 * (16 + 4 * begin) : 3 * (16 + 4 * end)] == b"\xff" * (12 * (end - begin))


def test_text_is_reduced_to_the_characters_of_the_font() -> None:
    assert font.printable("Café\n\x1b猫  {ok}") == "CAFE {OK}"
    assert len(font.runs(font.printable("".join(map(chr, range(0x250)))))) == 7


def test_subtle_variations_are_closer_to_their_parent_than_strong_ones() -> None:
    single = images.upscaled(images.new_grid("a cat", 1, None), 3)
    subtle = images.varied(single, 1, 5, 0.12)
    strong = images.varied(single, 1, 5, 1.0)
    size = single.base

    def same(other: images.Image) -> float:
        left = images.upscaled(other, 2)
        one, two = (decode_png(drawing.draw(p, size)) for p in (single, left))
        pairs = zip(b"".join(one.rows), b"".join(two.rows), strict=True)
        return sum(a == b for a, b in pairs) / (3 * size[0] * size[1])

    assert same(strong) < same(subtle) < 1
