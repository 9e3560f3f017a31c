"""What the sandbox says about a job: its events, its result, its task record, its addresses."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

from .pictures import Picture
from .state import STEPS, Job

GRID_ACTIONS = ["upscale1", "upscale2", "upscale3", "upscale4", "reroll"]
GRID_ACTIONS += ["variation1", "variation2", "variation3", "variation4"]
ENLARGED_ACTIONS = ["variation_subtle", "variation_strong", "variation_region"]
ENLARGED_ACTIONS += ["zoom_out_2x", "zoom_out_1_5x", "pan_left", "pan_right", "pan_up", "pan_down"]
SINGLE_ACTIONS = ["upscale_2x", "upscale_4x", *ENLARGED_ACTIONS]

LIFETIME = 24 * 3600
"""Seconds for which a signed address is good."""


def signature(path: str, expires: str, issued: str) -> str:
    """The `hm` of a signed address. It guards nothing: it shows a client that it has changed an address."""
    return hashlib.sha256(f"{path} {expires} {issued} sandbox".encode()).hexdigest()


def signed(path: str, now: float) -> str:
    """`path` with the query that real addresses have: expiry, issue and signature, and a last `&`."""
    expires, issued = f"{int(now) + LIFETIME:x}", f"{int(now):x}"
    return f"{path}?ex={expires}&is={issued}&hm={signature(path, expires, issued)}&"


def slug(text: str) -> str:
    """At most 40 ASCII letters and digits of `text`, joined by underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:40].strip("_") or "picture"


def step_image_id(job: Job, step: int | None) -> str:
    """The id of the picture at `step` of the job, or of the finished one."""
    return str(job.image_id if step is None else job.image_id - len(STEPS) + step)


def picture_path(job: Job, step: int | None = None) -> str:
    """Path of the picture at `step` (an index of `STEPS`), or of the finished one."""
    channel = 1200000000000000000 + int(job.job_id[:8], 16)
    name = f"{job.job_id}_grid_{step}.png"
    if step is None:
        name = f"sandbox_{slug(job.picture.get('label', ''))}_{job.job_id}.png"
    return f"/attachments/{channel}/{step_image_id(job, step)}/{name}"


def _image_fields(job: Job, step: int | None, base_url: str, now: float) -> dict[str, Any]:
    picture = Picture.load(job.picture)
    raw, small = picture.raw_size, picture.thumbnail_size
    if step is not None:
        raw, small = unfinished_sizes(picture)
    url = base_url + signed(picture_path(job, step), now)
    return {
        "image_url": f"{url}width={small[0]}&height={small[1]}",
        "image_width": small[0],
        "image_height": small[1],
        "image_id": step_image_id(job, step),
        "raw_image_url": url,
        "raw_image_width": raw[0],
        "raw_image_height": raw[1],
    }


def unfinished_sizes(picture: Picture) -> tuple[tuple[int, int], tuple[int, int]]:
    """Full and small size in pixels of a picture that is not done yet."""
    return picture.base, (picture.base[0] // 2, picture.base[1] // 2)


def event(job: Job, index: int, base_url: str, now: float) -> dict[str, Any]:
    """The object for event `index` of the job; that of the last one is the result."""
    if index >= len(job.moments) - 1:
        return result(job, base_url, now)
    fields: dict[str, Any]
    if job.kind == "videos":
        fields = {"progress": STEPS[index], "image_id": step_image_id(job, index), "actions": []}
    else:
        fields = {**_image_fields(job, index, base_url, now), "progress": STEPS[index], "actions": []}
    return {**fields, "task_id": job.id, "success": True, "sandbox": True}


def result(job: Job, base_url: str, now: float) -> dict[str, Any]:
    """The object that a job ends with."""
    if job.error:
        fault: dict[str, Any] = {"success": False, "task_id": job.id, "error": job.error}
        return {**fault, "trace_id": job.trace_id, "sandbox": True}
    if job.kind == "videos":
        small = Picture.load(job.picture).thumbnail_size
        return {
            "image_url": base_url + signed(picture_path(job), now) + f"width={small[0]}&height={small[1]}",
            "image_width": small[0],
            "image_height": small[1],
            "progress": 100,
            "video_id": str(job.image_id),
            "video_urls": [f"{base_url}//video/{job.job_id}/0_{n}.mp4" for n in range(4)],
            "task_id": job.id,
            "success": True,
            "sandbox": True,
        }
    if not job.picture:
        return {**job.extra, "sandbox": True}
    fields = {**_image_fields(job, None, base_url, now), "progress": 100}
    if job.kind == "imagine":
        fields["actions"] = job.actions
    if job.extra.get("split"):
        fields["sub_image_urls"] = [f"{base_url}/{job.job_id}/0_{n}.png" for n in range(4)]
    return {**fields, "task_id": job.id, "success": True, "sandbox": True}


def record(job: Job, base_url: str, now: float) -> dict[str, Any]:
    """The task record of a job: without `response` and `finished_at` while it runs."""
    out: dict[str, Any] = {
        "_id": job.job_id.replace("-", "")[:24],
        "id": job.id,
        "application_id": "sandbox",
        "created_at": round(job.created_at, 3),
        "credential_id": "sandbox",
        "request": job.request,
        "type": job.kind,
        "hold": False,
        "job_id": job.job_id,
        "trace_id": job.trace_id,
        "started_at": round(job.created_at, 3),
        "sandbox": True,
    }
    if not job.has_ended(now):
        return {**out, "progress": job.progress(now)}
    if job.picture and not job.error:
        out["image_id"] = str(job.image_id)
    out["response"] = {"success": True, "task_id": job.id, **result(job, base_url, now)}
    return {**out, "duration": job.lasts, "finished_at": round(job.ends_at, 3)}
