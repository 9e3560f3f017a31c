"""The endpoints: each turns the JSON object of a request into a job, or into a response."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from . import fields, images, links, prompts, results
from .faults import Faults
from .fields import RefusalError, bad
from .images import Image
from .options import SandboxOptions
from .store import STEPS, Job, JobFilter, Store, TooManyJobsError

_EPOCH = 1420070400.0  # image ids count milliseconds from the start of 2015
_DIRECTIONS = {
    "pan_left": (-0.5, 0.0),
    "pan_right": (0.5, 0.0),
    "pan_up": (0.0, -0.5),
    "pan_down": (0.0, 0.5),
}
_GRID_ACTION = re.compile(r"(upscale|variation)([1-4])")
_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "very", "with")
)
_STYLES = (
    "a flat landscape in layers, calm colours",
    "pixel art with a large sun, in the style of an old game",
    "minimalist poster, soft gradients, evening light",
    "wide view, silhouettes against a clear sky",
)


@dataclass(frozen=True)
class Accepted:
    """A job that a request started, and whether the request waits for its end."""

    job: Job
    waits: bool


@dataclass(frozen=True)
class _Plan:
    """What a job will produce."""

    image: Image | None = None
    actions: tuple[str, ...] = ()
    extra: dict[str, Any] | None = None
    refusal: str = ""
    """Why the job fails, if its prompt has a mistake."""
    pace: float = 1.0
    """Duration as a multiple of the usual one."""


class Endpoints:
    """Accepts requests. Every method raises `RefusalError` for a request that is refused."""

    def __init__(self, store: Store, options: SandboxOptions, faults: Faults) -> None:
        self._store, self._options, self._faults = store, options, faults
        self._planners: dict[str, Callable[[dict[str, Any]], _Plan]] = {
            "imagine": self._imagine,
            "edits": self._edits,
            "videos": self._videos,
            "describe": self._describe,
            "shorten": self._shorten,
            "translate": self._translate,
            "seed": self._seed,
        }

    @property
    def names(self) -> frozenset[str]:
        """The last path segment of each endpoint."""
        return frozenset(self._planners) | {"tasks"}

    def submit(self, name: str, body: dict[str, Any], *, stream: bool, trace_id: str) -> Accepted:
        """Accept a job for endpoint `name`, which is any but `tasks`."""
        plan = self._planners[name](body)
        callback_url, detached = "", False
        request = body
        if name in ("imagine", "edits", "videos"):
            callback_url, detached = fields.url(body, "callback_url"), fields.flag(body, "async")
            request = {"mode": "fast", "action": "generate", **body}
        job = self._new_job(name, plan, request, trace_id)
        if callback_url:
            first = 0 if stream else len(job.moments) - 1
            job = replace(
                job,
                callback_url=callback_url,
                callback_stream=stream,
                callback_step=first,
                callback_due=job.moments[first],
            )
        try:
            self._store.add(job, self._options.rate_limit)
        except TooManyJobsError as error:
            message = f"sandbox: more than {self._options.rate_limit} jobs a minute"
            headers = {"Retry-After": str(error.retry_after)}
            raise RefusalError(429, "too_many_requests", message, headers) from error
        return Accepted(job, waits=not (callback_url or detached))

    def tasks(self, body: dict[str, Any], base_url: str) -> dict[str, Any]:
        """The response of `/midjourney/tasks`: a task record, `{}`, or `{items, count}`."""
        action, now = fields.choice(body, "action", ("retrieve", "retrieve_batch"), "retrieve"), time.time()
        if action == "retrieve":
            task_id, trace_id = fields.text(body, "id"), fields.text(body, "trace_id")
            if not task_id and not trace_id:
                raise bad("id or trace_id is required")
            job = self._store.job("id", task_id) if task_id else self._store.job("trace_id", trace_id)
            return results.record(job, base_url, now) if job else {}
        ids, trace_ids = fields.strings(body, "ids"), fields.strings(body, "trace_ids")
        offset = fields.integer(body, "offset", 0, 0, 2**31)
        limit = fields.integer(body, "limit", 12, 1, 1000)
        column: Literal["id", "trace_id"] | None
        column = "id" if ids is not None else "trace_id" if trace_ids is not None else None
        which = JobFilter(
            kind=fields.text(body, "type"),
            since=fields.moment(body, "created_at_min"),
            until=fields.moment(body, "created_at_max"),
        )
        jobs, count = self._store.jobs(column, ids or trace_ids or [], offset, limit, which)
        return {"items": [results.record(job, base_url, now) for job in jobs], "count": count}

    # -- jobs

    def _new_job(self, kind: str, plan: _Plan, request: dict[str, Any], trace_id: str) -> Job:
        now, pace = time.time(), self._options.seconds * plan.pace
        share, error = self._failure(plan, str(request.get("prompt", "")))
        lasts = pace * share
        return Job(
            id=str(uuid.uuid4()),
            job_id=str(uuid.uuid4()),
            trace_id=trace_id,
            kind=kind,
            image_id=_new_image_id(now + lasts),
            request=request,
            created_at=now,
            pace=pace,
            lasts=lasts,
            error=error,
            image=plan.image.dump() if plan.image else {},
            actions=list(plan.actions),
            extra=plan.extra or {},
        )

    def _failure(self, plan: _Plan, prompt: str) -> tuple[float, dict[str, str]]:
        """After what share of its duration a job ends, and its error, empty if it succeeds."""
        if plan.refusal:
            return 0.1, {"code": "bad_request", "message": plan.refusal}
        if "please-fail" in prompt:
            return 0.5, {"code": "api_error", "message": "sandbox: the prompt asked for a failure"}
        if self._faults.fail_job():
            return 0.5, {"code": "api_error", "message": "sandbox: simulated failure (failure rate)"}
        return 1.0, {}

    def _parent(self, body: dict[str, Any]) -> tuple[Job, Image]:
        """The finished job that `image_id` belongs to, and its image."""
        image_id = fields.text(body, "image_id", required=True)
        job = self._store.job_of_image(image_id)
        if (
            job is None
            or job.error
            or not job.image
            or job.kind == "videos"
            or not job.has_ended(time.time())
        ):
            raise bad(f"unknown image_id `{image_id}`")
        return job, Image.load(job.image)

    def _image_at(self, link: str) -> Image | None:
        """The image that a link to this sandbox leads to; None for any other link."""
        parts = urlsplit(link).path.split("/")
        job = self._store.job_of_image(parts[3]) if len(parts) == 5 and parts[1] == "attachments" else None
        return Image.load(job.image) if job and job.image else None

    @staticmethod
    def _prompt(body: dict[str, Any], *, required: bool) -> prompts.Prompt:
        prompt = prompts.read(fields.text(body, "prompt", required=required))
        if "moderated" in prompt.text.lower():
            raise RefusalError(403, "forbidden", "sandbox: the prompt was refused by moderation")
        if len(prompt.images) > prompts.MAX_IMAGES:
            raise bad(f"prompt has {len(prompt.images)} image addresses, the limit is {prompts.MAX_IMAGES}")
        return prompt

    def _seed_of(self, prompt: prompts.Prompt) -> int:
        return prompt.seed if prompt.seed is not None else self._faults.number(2**32)

    # -- images and videos

    def _imagine(self, body: dict[str, Any]) -> _Plan:
        fields.choice(body, "mode", ("fast", "relax", "turbo"), "fast")
        fields.positive(body, "timeout")
        split = fields.flag(body, "split_images")
        action = fields.text(body, "action") or "generate"
        prompt = self._prompt(body, required=action == "generate")
        seed = self._seed_of(prompt)
        if action == "generate":
            image = images.new_grid(prompt.text or "blend", seed, prompt.aspect)
        else:
            image = self._changed(action.replace("upsample", "upscale"), body, prompt, seed)
        actions = results.GRID_ACTIONS
        if not image.is_grid:
            split = False
            actions = results.SINGLE_ACTIONS if image.scale == 2 else results.ENLARGED_ACTIONS
        return _Plan(image, tuple(actions), {"split": split, "seed": seed}, prompt.refusal)

    def _changed(self, action: str, body: dict[str, Any], prompt: prompts.Prompt, seed: int) -> Image:
        """The image that `action` makes of its parent."""
        if action not in results.GRID_ACTIONS and action not in results.SINGLE_ACTIONS:
            raise bad(f"unknown action `{action}`")
        job, parent = self._parent(body)
        if action not in job.actions:
            offered = ", ".join(job.actions) or "nothing"
            raise bad(f"action `{action}` is not offered by image {job.image_id}; it offers {offered}")
        label = prompt.text or None
        if match := _GRID_ACTION.fullmatch(action):
            quadrant = int(match[2])
            if match[1] == "upscale":
                return images.upscaled(parent, quadrant)
            return images.varied(parent, quadrant, seed, 0.3, label)
        if action == "reroll":
            return images.new_grid(prompt.text or parent.label, seed, prompt.aspect or parent.base)
        if action == "variation_region":
            fields.mask(body, required=True)
            return images.varied(parent, 1, seed, 0.2, label)
        if action.startswith("variation_"):
            return images.varied(parent, 1, seed, 1.0 if action.endswith("strong") else 0.12, label)
        if action.startswith("upscale_"):
            return images.enlarged(parent, 2 if action == "upscale_2x" else 4)
        if action.startswith("zoom_out_"):
            return images.reframed(parent, seed, zoom=2.0 if action.endswith("_2x") else 1.5)
        right, down = _DIRECTIONS[action]
        return images.reframed(parent, seed, right=right, down=down)

    def _edits(self, body: dict[str, Any]) -> _Plan:
        fields.choice(body, "mode", ("fast", "relax", "turbo"), "fast")
        fields.choice(body, "action", ("generate",), "generate")
        fields.flag(body, "split_images")
        fields.mask(body)
        link = fields.url(body, "image_url", required=True)
        prompt = self._prompt(body, required=True)
        seed, source = self._seed_of(prompt), self._image_at(link)
        if source is not None:
            image = images.varied(source, 1, seed, 0.3, prompt.text)
        else:
            image = images.new_grid(prompt.text, seed, prompt.aspect)
        return _Plan(image, (), {"split": True, "seed": seed}, prompt.refusal)

    def _videos(self, body: dict[str, Any]) -> _Plan:
        action = fields.choice(body, "action", ("generate", "extend"), "generate")
        fields.choice(body, "mode", ("fast", "turbo"), "fast")
        fields.choice(body, "resolution", ("480p", "720p"), "480p")
        fields.flag(body, "loop")
        fields.integer(body, "video_index", 0, 0, 3)
        fields.url(body, "end_image_url")
        prompt = self._prompt(body, required=False)
        seed = self._seed_of(prompt)
        source: Image | None
        if action == "extend":
            video_id = fields.text(body, "video_id", required=True)
            job = self._store.job_of_image(video_id)
            if job is None or job.kind != "videos" or job.error or not job.has_ended(time.time()):
                raise bad(f"unknown video_id `{video_id}`")
            source = Image.load(job.image)
        else:
            source = self._image_at(fields.url(body, "image_url", required=True))
        if source is None:
            source = images.new_grid(prompt.text or "video", seed, prompt.aspect)
        return _Plan(images.upscaled(source, 1), (), {"seed": seed}, prompt.refusal)

    # -- words

    def _describe(self, body: dict[str, Any]) -> _Plan:
        link = fields.url(body, "image_url", required=True)
        source = self._image_at(link)
        name = urlsplit(link).path.rsplit("/", 1)[-1]
        subject = source.label if source else links.slug(name).replace("_", " ")
        ratio = "{}:{}".format(*source.base) if source else "1:1"
        descriptions = [f"{subject}, {style} --ar {ratio}" for style in _STYLES]
        return _Plan(extra={"descriptions": descriptions}, pace=0.25)

    def _shorten(self, body: dict[str, Any]) -> _Plan:
        prompt = self._prompt({"prompt": fields.text(body, "prompt", required=True)}, required=True)
        words = prompt.text.split()
        core = [word for word in words if word.lower() not in _SMALL_WORDS] or words
        lengths = (len(core), len(core) * 3 // 4, len(core) // 2, len(core) // 3, 1)
        shorter = dict.fromkeys(" ".join(core[:length]) for length in lengths if length)
        return _Plan(extra={"prompts": list(shorter)}, pace=0.25)

    def _translate(self, body: dict[str, Any]) -> _Plan:
        content = fields.text(body, "content", required=True)
        translated = content if content.isascii() else f"{content} (sandbox: not translated)"
        return _Plan(extra={"content": translated}, pace=0.0)

    def _seed(self, body: dict[str, Any]) -> _Plan:
        job, _ = self._parent(body)
        return _Plan(extra={"seed": str(job.extra.get("seed", 0))}, pace=0.0)


def _new_image_id(moment: float) -> int:
    """An id that begins with a Unix time, as the service's do, with room below it for the ids of the steps.

    Its lower part does not depend on the seed, because two sandboxes with the same seed may share a database.
    """
    return (max(int((moment - _EPOCH) * 1000), 0) << 22) + len(STEPS) + secrets.randbelow(2**22 - len(STEPS))
