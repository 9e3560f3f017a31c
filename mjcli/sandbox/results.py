"""The objects that describe a job: its events, its result and its task record."""

from __future__ import annotations

from typing import Any

from .images import Image
from .links import image_id, image_path, signed
from .store import STEPS, Job

GRID_ACTIONS = ["upscale1", "upscale2", "upscale3", "upscale4", "reroll"]
GRID_ACTIONS += ["variation1", "variation2", "variation3", "variation4"]
ENLARGED_ACTIONS = ["variation_subtle", "variation_strong", "variation_region"]
ENLARGED_ACTIONS += ["zoom_out_2x", "zoom_out_1_5x", "pan_left", "pan_right", "pan_up", "pan_down"]
SINGLE_ACTIONS = ["upscale_2x", "upscale_4x", *ENLARGED_ACTIONS]


def event(job: Job, index: int, base_url: str, now: float) -> dict[str, Any]:
    """The object for event `index` of the job; the last one is the result."""
    if index >= len(job.moments) - 1:
        return result(job, base_url, now)
    fields: dict[str, Any]
    if job.kind == "videos":
        fields = {"progress": STEPS[index], "image_id": image_id(job, index), "actions": []}
    else:
        fields = {**_image_fields(job, index, base_url, now), "progress": STEPS[index], "actions": []}
    return {**fields, "task_id": job.id, "success": True, "sandbox": True}


def result(job: Job, base_url: str, now: float) -> dict[str, Any]:
    """The final object of a job."""
    if job.error:
        failure: dict[str, Any] = {"success": False, "task_id": job.id, "error": job.error}
        return {**failure, "trace_id": job.trace_id, "sandbox": True}
    if job.kind == "videos":
        return _video_result(job, base_url, now)
    if not job.image:
        return {**job.extra, "trace_id": job.trace_id, "sandbox": True}
    fields = {**_image_fields(job, None, base_url, now), "progress": 100}
    if job.kind == "imagine":
        fields["actions"] = job.actions
    if job.extra.get("split"):
        fields["sub_image_urls"] = [f"{base_url}/{job.job_id}/0_{n}.png" for n in range(4)]
    return {**fields, "task_id": job.id, "trace_id": job.trace_id, "success": True, "sandbox": True}


def record(job: Job, base_url: str, now: float) -> dict[str, Any]:
    """The task record of a job: without `response` and `finished_at` while it runs."""
    fields: dict[str, Any] = {
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
        return {**fields, "progress": job.progress(now)}
    if job.image and not job.error:
        fields["image_id"] = str(job.image_id)
    fields["response"] = {"success": True, "task_id": job.id, **result(job, base_url, now)}
    return {**fields, "duration": job.lasts, "finished_at": round(job.ends_at, 3)}


def _image_fields(job: Job, step: int | None, base_url: str, now: float) -> dict[str, Any]:
    image = Image.load(job.image)
    raw, small = image.raw_size, image.thumbnail_size
    if step is not None:
        raw, small = image.unfinished_sizes
    url = base_url + signed(image_path(job, step), now)
    return {
        "image_url": f"{url}width={small[0]}&height={small[1]}",
        "image_width": small[0],
        "image_height": small[1],
        "image_id": image_id(job, step),
        "raw_image_url": url,
        "raw_image_width": raw[0],
        "raw_image_height": raw[1],
    }


def _video_result(job: Job, base_url: str, now: float) -> dict[str, Any]:
    small = Image.load(job.image).thumbnail_size
    return {
        "image_url": base_url + signed(image_path(job), now) + f"width={small[0]}&height={small[1]}",
        "image_width": small[0],
        "image_height": small[1],
        "progress": 100,
        "video_id": str(job.image_id),
        "video_urls": [f"{base_url}//video/{job.job_id}/0_{n}.mp4" for n in range(4)],
        "task_id": job.id,
        "trace_id": job.trace_id,
        "success": True,
        "sandbox": True,
    }
