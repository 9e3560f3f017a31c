"""The gallery with 1,000 pictures: `python -m tests.benchmarks.gallery`.

Measures the build of the page (with the thumbnails of earlier builds, and without any) and the first paint in Chromium,
with Playwright (the extra `browser`). The pictures are noisy, so that their PNG files are as large as photographs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mjcli.jobs.ledger import Ledger
from tests.benchmarks.startup import ROOT, installed_mj

BUILD_SECONDS, PAINT_SECONDS = 10.0, 1.0
DISTINCT = 12  # pictures that are drawn; the others differ in their last bytes

PAINTED = """async () => {
  const name = "first-contentful-paint";
  const [first] = performance.getEntriesByName(name);
  const paint = first || await new Promise((resolve) => new PerformanceObserver((list) => {
    const found = list.getEntries().find((each) => each.name === name);
    if (found) resolve(found);
  }).observe({type: "paint", buffered: true}));
  return paint.startTime / 1000;
}"""


def fill(home: Path, count: int, side: int) -> None:
    """A ledger with this many jobs, each with a picture of its own."""
    from PIL import Image

    pictures = home / "pictures"
    pictures.mkdir()
    shapes = [(side, side), (side, side * 2 // 3), (side * 2 // 3, side), (side, side * 9 // 16)]
    for number in range(DISTINCT):
        width, height = shapes[number % len(shapes)]
        smooth = [
            Image.effect_noise((16, 16), 90).resize((width, height), Image.Resampling.BICUBIC) for _ in "rgb"
        ]
        noise = Image.effect_noise((width, height), 20).convert("RGB")
        Image.blend(Image.merge("RGB", smooth), noise, 0.25).save(home / f"{number}.png")
    for number in range(count):
        data = (home / f"{number % DISTINCT}.png").read_bytes()
        (pictures / f"{number}.png").write_bytes(data + number.to_bytes(8, "big"))
    path = home / "ledger.db"
    Ledger.open(path, notice=lambda _: None).close()
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO jobs (uuid, profile, host, kind, path, request, state, created_at, changed_at, sent_at,"
            " task_id, image_id, result, files, files_sha256, subject)"
            " VALUES (?1, 'default', 'https://api.example', 'imagine', '/midjourney/imagine', ?2, 'done', ?3, ?3, ?3,"
            " ?1, ?4, ?5, ?6, ?7, ?8)",
            (_row(number, pictures / f"{number}.png") for number in range(count)),
        )
    connection.close()


def _row(number: int, picture: Path) -> tuple[object, ...]:
    from hashlib import sha256

    words = f"a cat with {number} tails in morning light, long exposure, film grain --ar 3:2"
    result = {"image_id": f"{number:019}", "actions": ["upscale1", "variation1", "reroll"]}
    return (
        f"{0xABC00000 + number:08x}-0000-4000-8000-000000000000",
        json.dumps({"action": "generate", "prompt": words}),
        time.time() - number * 60,
        f"{number:019}",
        json.dumps(result),
        json.dumps([str(picture)]),
        json.dumps([sha256(picture.read_bytes()).hexdigest()]),
        words,
    )


def build(home: Path, page: Path) -> float:
    """Seconds to write the page."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MJ_DATA_DIR": str(home),
        "MJ_CONFIG": str(home / "config.toml"),
        "PYTHONPATH": str(ROOT),
    }
    begun = time.perf_counter()
    subprocess.run(
        [*installed_mj(), "gallery", "--output", str(page), "-q"],
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - begun


def first_paint(page: Path) -> tuple[float, int, int]:
    """Seconds to the first paint, the tiles that are there then, and the thumbnails that were loaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(page.as_uri())
        tab.close()  # the first page of a browser also starts its processes
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        loaded: list[str] = []
        tab.on("request", lambda request: loaded.append(request.url))
        tab.goto((page / "index.html").as_uri())
        seconds = float(tab.evaluate(PAINTED))
        tab.wait_for_load_state("networkidle")
        tiles = tab.locator("#tiles > li").count()
        assert all(url.startswith("file:") for url in loaded)
        browser.close()
    return seconds, tiles, sum(url.endswith(".webp") for url in loaded)


def main() -> int:
    """Measure; exit status 1 if a budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=1024, help="longer side of the pictures in pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home, page = Path(directory) / "home", Path(directory) / "page"
        home.mkdir()
        fill(home, options.pictures, options.side)
        size = sum(path.stat().st_size for path in (home / "pictures").iterdir())
        print(f"{options.pictures} pictures, {size / 1e6:.0f} MB, {os.cpu_count()} processors")
        first = build(home, page)
        print(f"first build, every thumbnail made   {first:6.2f} s (budget {BUILD_SECONDS:g} s)")
        shutil.rmtree(page)
        again = build(home, page)
        print(f"build with the cached thumbnails    {again:6.2f} s (budget {BUILD_SECONDS:g} s)")
        print(f"build into the same directory       {build(home, page):6.2f} s")
        seconds, tiles, thumbnails = first_paint(page)
        print(f"first paint in Chromium             {seconds:6.2f} s (budget {PAINT_SECONDS:g} s)")
        print(f"tiles made at first {tiles}, thumbnails loaded {thumbnails}")
        held = max(first, again) <= BUILD_SECONDS and seconds <= PAINT_SECONDS
    print("held" if held else "OVER")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
