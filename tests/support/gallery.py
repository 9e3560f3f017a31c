"""Jobs with pictures for the tests of the gallery, in a ledger."""

from __future__ import annotations

import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

from PIL import Image

from mjcli.jobs.ledger import Ledger
from tests.support.history import add_jobs
from tests.support.program import Mj

#: Texts that would run, close an element, or change the direction of text, if a page took them for markup.
INJECTIONS = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<!--</script><script>window.hacked = 1</script>-->",
    "<!--DATA--><!--TITLE-->",
    "<img src=x onerror='window.hacked = 1'>",
    "\"><svg onload='window.hacked = 1'>",
    "' onmouseover='window.hacked = 1' x='",
    "javascript:window.hacked=1",
    "data:text/html,<script>window.hacked=1</script>",
    "{{constructor.constructor('window.hacked = 1')()}}",
    "${window.hacked = 1}",
    "</title><script>window.hacked = 1</script>",
    "</textarea><iframe srcdoc='<script>parent.hacked = 1</script>'></iframe>",
    "<a href='javascript:window.hacked=1'>click</a>",
    "<style>@import 'http://example.invalid/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=http://example.invalid/'>",
    "\u202egnp.exe\u2066 \x1b[2J\x00 \u2028 \ud83d",
    "&lt;script&gt;window.hacked = 1&lt;/script&gt; &amp;",
    "\\u003cscript\\u003ewindow.hacked = 1\\u003c/script\\u003e",
    "__proto__",
    "constructor",
)


def picture(path: Path, size: tuple[int, int] = (320, 200), colour: str = "#4060a0") -> tuple[str, str]:
    """Write a picture; its path and its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def small_png() -> bytes:
    """A picture for a service to serve."""
    written = io.BytesIO()
    Image.new("RGB", (64, 48), "#306030").save(written, "PNG")
    return written.getvalue()


def job(mj: Mj, name: str, **row: Any) -> dict[str, Any]:
    """A job that is done and whose picture was saved, as a row for `add_jobs`."""
    colour = f"#{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}"
    file_name = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12]
    path, digest = picture(mj.home / "pictures" / f"{file_name}.png", row.pop("pixels", (320, 200)), colour)
    words = row.pop("words", name)
    return {
        "uuid": f"{int(digest[:8], 16):08x}-0000-4000-8000-{digest[:12]}",
        "request": {"action": "generate", "prompt": words},
        "subject": words,
        "task_id": f"task-{file_name}",
        "image_id": f"image-{file_name}",
        "result": {"image_id": f"image-{file_name}", "actions": ["upscale1", "variation2", "reroll"]},
        "files": [path],
        "files_sha256": json.dumps([digest]),
        "created_at": time.time(),
        **row,
    }


def family(mj: Mj) -> None:
    """A grid, the upscale of one of its images, and that image panned to the left; and a picture of its own."""
    now = time.time()
    grid = job(mj, "a lighthouse --ar 16:10", created_at=now - 400)
    child: dict[str, Any] = {"kind": "action", "parent_image": grid["image_id"]}
    upscale = job(mj, "upscale", words="a lighthouse --ar 16:10", created_at=now - 300, **child)
    upscale["request"] = {"action": "upscale2", "image_id": grid["image_id"]}
    pan = job(mj, "pan", words="a lighthouse --ar 16:10", created_at=now - 200, kind="action")
    pan |= {
        "request": {"action": "pan_left", "image_id": upscale["image_id"]},
        "parent_image": upscale["image_id"],
    }
    fox = job(mj, "a fox in deep snow", created_at=now - 100, pixels=(200, 300))
    add_jobs(mj, grid, upscale, pan, fox)


def open_ledger(mj: Mj) -> Ledger:
    """The ledger of the program."""
    return Ledger.open(mj.home / "data" / "ledger.db", notice=lambda _: None)
