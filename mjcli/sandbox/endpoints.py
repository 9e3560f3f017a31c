"""The endpoints: from a request's JSON object to a job, or to the object that answers it."""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from . import bodies, pictures, prompts, results
from .bodies import RefusalError, bad
from .pictures import Picture
from .state import STEPS, Job, Store, TooManyJobsError

_EPOCH = 1420070400.0  # the first second of 2015, from which image ids count
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


def _new_image_id(moment: float) -> int:
    """An id made of a Unix time, as the service's are, with room below it for those of the steps before.

    Its lower half never comes from the options' seed: two sandboxes on one database may have the same one.
    """
    return (max(int((moment - _EPOCH) * 1000), 0) << 22) + len(STEPS) + secrets.randbelow(2**22 - len(STEPS))


@dataclass(frozen=True)
class SandboxOptions:
    """How a sandbox behaves. Rates are shares between 0 and 1."""

    seconds: float = 3.0
    """How long a job takes."""
    failure_rate: float = 0.0
    """Share of accepted jobs that end as failed."""
    error_rate: float = 0.0
    """Share of POSTs that are answered 500 `api_error`; nothing is accepted then."""
    rate_limit: int | None = None
    """Jobs accepted in a minute; more are answered 429 with `Retry-After`."""
    cut_rate: float = 0.0
    """Share of streams that break off midway; their jobs go on."""
    token: str | None = None
    """The token that is accepted; None accepts any, and none."""
    seed: int | None = None
    """Makes faults and pictures repeatable."""


@dataclass(frozen=True)
class Accepted:
    """A job that a request started, and whether the request waits for it."""

    job: Job
    waits: bool


@dataclass(frozen=True)
class _Plan:
    """What an endpoint makes of a request, before it becomes a job."""

    picture: Picture | None = None
    actions: tuple[str, ...] = ()
    extra: dict[str, Any] | None = None
    refusal: str = ""
    pace: float = 1.0
    """Length of the job as a multiple of the usual one."""


class Endpoints:
    """Answers requests; every method raises `RefusalError` for one that is refused."""

    def __init__(self, store: Store, options: SandboxOptions) -> None:
        self._store, self._options = store, options
        self._random, self._lock = random.Random(options.seed), threading.Lock()
        self._jobs: dict[str, Callable[[dict[str, Any]], _Plan]] = {
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
        """Last path segments of the endpoints."""
        return frozenset(self._jobs) | {"tasks"}

    def chance(self, rate: float) -> bool:
        """True for about `rate` of the calls."""
        if rate <= 0:
            return False
        with self._lock:
            return self._random.random() < rate

    def pick(self, below: int) -> int:
        """A number from 0 up to but not including `below`."""
        with self._lock:
            return self._random.randrange(below)

    def refuse_by_chance(self) -> None:
        """Raise the error that `error_rate` asks for."""
        if self.chance(self._options.error_rate):
            raise RefusalError(500, "api_error", "sandbox: this error was asked for (error rate)")

    def submit(self, name: str, body: dict[str, Any], *, stream: bool, trace_id: str) -> Accepted:
        """Accept a job for endpoint `name`, any but `tasks`."""
        plan = self._jobs[name](body)
        callback_url, detached = "", False
        request = body
        if name in ("imagine", "edits", "videos"):
            callback_url, detached = bodies.url(body, "callback_url"), bodies.flag(body, "async")
            request = {"mode": "fast", "action": "generate", **body}
        job = self._job(name, plan, request, trace_id, callback_url, stream)
        try:
            self._store.add(job, self._options.rate_limit)
        except TooManyJobsError as error:
            message = f"sandbox: more than {self._options.rate_limit} jobs a minute"
            headers = {"Retry-After": str(error.retry_after)}
            raise RefusalError(429, "too_many_requests", message, headers) from error
        return Accepted(job, waits=not (callback_url or detached))

    def _job(
        self, kind: str, plan: _Plan, request: dict[str, Any], trace_id: str, callback_url: str, stream: bool
    ) -> Job:
        now, pace = time.time(), self._options.seconds * plan.pace
        share, error = 1.0, dict[str, str]()
        if plan.refusal:
            share, error = 0.1, {"code": "bad_request", "message": plan.refusal}
        elif "please-fail" in str(request.get("prompt", "")):
            share, error = 0.5, {"code": "api_error", "message": "sandbox: the prompt asked for a failure"}
        elif self.chance(self._options.failure_rate):
            share, error = (
                0.5,
                {"code": "api_error", "message": "sandbox: a failure by chance (failure rate)"},
            )
        lasts = pace * share
        job = Job(
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
            picture=plan.picture.dump() if plan.picture else {},
            actions=list(plan.actions),
            extra=plan.extra or {},
            callback_url=callback_url,
            callback_stream=stream,
        )
        if not callback_url:
            return job
        first = 0 if stream else len(job.moments) - 1
        return replace(job, callback_step=first, callback_due=job.moments[first])

    def _image(self, body: dict[str, Any]) -> tuple[Job, Picture]:
        image_id = bodies.text(body, "image_id", required=True)
        job = self._store.job_of_image(image_id)
        if job is None or job.error or not job.picture or job.kind == "videos":
            raise bad(f"unknown image_id `{image_id}`")
        if not job.has_ended(time.time()):
            raise bad(f"unknown image_id `{image_id}`")
        return job, Picture.load(job.picture)

    def _pictured(self, address: str) -> Picture | None:
        """The picture of this sandbox that an address shows, if it is one."""
        parts = urlsplit(address).path.split("/")
        job = self._store.job_of_image(parts[3]) if len(parts) == 5 and parts[1] == "attachments" else None
        return Picture.load(job.picture) if job and job.picture else None

    @staticmethod
    def _prompt(body: dict[str, Any], *, required: bool) -> prompts.Prompt:
        prompt = prompts.read(bodies.text(body, "prompt", required=required))
        if "moderated" in prompt.text.lower():
            raise RefusalError(403, "forbidden", "sandbox: the prompt was refused by moderation")
        if len(prompt.images) > prompts.MAX_IMAGES:
            raise bad(f"prompt has {len(prompt.images)} image addresses, {prompts.MAX_IMAGES} are the most")
        return prompt

    def _number(self, prompt: prompts.Prompt | None = None) -> int:
        return prompt.seed if prompt is not None and prompt.seed is not None else self.pick(2**32)

    def _imagine(self, body: dict[str, Any]) -> _Plan:
        bodies.choice(body, "mode", ("fast", "relax", "turbo"), "fast")
        bodies.positive(body, "timeout")
        split = bodies.flag(body, "split_images")
        action = bodies.text(body, "action") or "generate"
        prompt = self._prompt(body, required=action == "generate")
        seed = self._number(prompt)
        if action == "generate":
            picture = pictures.new_grid(prompt.text or "blend", seed, prompt.aspect)
        else:
            picture = self._changed(action.replace("upsample", "upscale"), body, prompt, seed)
        actions = results.GRID_ACTIONS
        if not picture.is_grid:
            split = False
            actions = results.SINGLE_ACTIONS if picture.scale == 2 else results.ENLARGED_ACTIONS
        return _Plan(picture, tuple(actions), {"split": split, "seed": seed}, prompt.refusal)

    def _changed(self, action: str, body: dict[str, Any], prompt: prompts.Prompt, seed: int) -> Picture:
        """The picture that `action` makes of the image that the body names."""
        if action not in results.GRID_ACTIONS and action not in results.SINGLE_ACTIONS:
            raise bad(f"unknown action `{action}`")
        job, picture = self._image(body)
        if action not in job.actions:
            offered = ", ".join(job.actions) or "nothing"
            raise bad(f"action `{action}` is not offered by image {job.image_id}; it offers {offered}")
        label = prompt.text or None
        if match := _GRID_ACTION.fullmatch(action):
            quadrant = int(match[2])
            if match[1] == "upscale":
                return pictures.upscaled(picture, quadrant)
            return pictures.varied(picture, quadrant, seed, 0.3, label)
        if action == "reroll":
            aspect = prompt.aspect or picture.base
            return pictures.new_grid(prompt.text or picture.label, seed, aspect)
        if action == "variation_region":
            bodies.mask(body, required=True)
            return pictures.varied(picture, 1, seed, 0.2, label)
        if action.startswith("variation_"):
            return pictures.varied(picture, 1, seed, 1.0 if action.endswith("strong") else 0.12, label)
        if action.startswith("upscale_"):
            return pictures.enlarged(picture, 2 if action == "upscale_2x" else 4)
        if action.startswith("zoom_out_"):
            return pictures.looked_at(picture, seed, zoom=2.0 if action.endswith("_2x") else 1.5)
        right, down = _DIRECTIONS[action]
        return pictures.looked_at(picture, seed, right=right, down=down)

    def _edits(self, body: dict[str, Any]) -> _Plan:
        bodies.choice(body, "mode", ("fast", "relax", "turbo"), "fast")
        bodies.choice(body, "action", ("generate",), "generate")
        bodies.flag(body, "split_images")
        bodies.mask(body)
        address = bodies.url(body, "image_url", required=True)
        prompt = self._prompt(body, required=True)
        seed, shown = self._number(prompt), self._pictured(address)
        if shown is not None:
            picture = pictures.varied(shown, 1, seed, 0.3, prompt.text)
        else:
            picture = pictures.new_grid(prompt.text, seed, prompt.aspect)
        return _Plan(picture, (), {"split": True, "seed": seed}, prompt.refusal)

    def _videos(self, body: dict[str, Any]) -> _Plan:
        action = bodies.choice(body, "action", ("generate", "extend"), "generate")
        bodies.choice(body, "mode", ("fast", "turbo"), "fast")
        bodies.choice(body, "resolution", ("480p", "720p"), "480p")
        bodies.flag(body, "loop")
        bodies.integer(body, "video_index", 0, 0, 3)
        bodies.url(body, "end_image_url")
        prompt = self._prompt(body, required=False)
        seed = self._number(prompt)
        shown: Picture | None
        if action == "extend":
            video_id = bodies.text(body, "video_id", required=True)
            job = self._store.job_of_image(video_id)
            if job is None or job.kind != "videos" or job.error or not job.has_ended(time.time()):
                raise bad(f"unknown video_id `{video_id}`")
            shown = Picture.load(job.picture)
        else:
            shown = self._pictured(bodies.url(body, "image_url", required=True))
        if shown is None:
            shown = pictures.new_grid(prompt.text or "video", seed, prompt.aspect)
        return _Plan(pictures.upscaled(shown, 1), (), {"seed": seed}, prompt.refusal)

    def _describe(self, body: dict[str, Any]) -> _Plan:
        address = bodies.url(body, "image_url", required=True)
        shown = self._pictured(address)
        name = urlsplit(address).path.rsplit("/", 1)[-1]
        what = shown.label if shown else results.slug(name).replace("_", " ")
        manners = (
            "a flat landscape in layers, calm colours",
            "pixel art with a large sun, in the style of an old game",
            "minimalist poster, soft gradients, evening light",
            "wide view, silhouettes against a clear sky",
        )
        ratio = "{}:{}".format(*shown.base) if shown else "1:1"
        descriptions = [f"{what}, {manner} --ar {ratio}" for manner in manners]
        return _Plan(extra={"descriptions": descriptions}, pace=0.25)

    def _shorten(self, body: dict[str, Any]) -> _Plan:
        prompt = self._prompt({"prompt": bodies.text(body, "prompt", required=True)}, required=True)
        words = prompt.text.split()
        core = [word for word in words if word.lower() not in _SMALL_WORDS] or words
        lengths = (len(core), len(core) * 3 // 4, len(core) // 2, len(core) // 3, 1)
        shorter = dict.fromkeys(" ".join(core[:length]) for length in lengths if length)
        return _Plan(extra={"prompts": list(shorter)}, pace=0.25)

    def _translate(self, body: dict[str, Any]) -> _Plan:
        content = bodies.text(body, "content", required=True)
        translated = content if content.isascii() else f"{content} (sandbox: not translated)"
        return _Plan(extra={"content": translated}, pace=0.0)

    def _seed(self, body: dict[str, Any]) -> _Plan:
        job, _ = self._image(body)
        return _Plan(extra={"seed": str(job.extra.get("seed", 0))}, pace=0.0)

    def tasks(self, body: dict[str, Any], base_url: str) -> dict[str, Any]:
        """The answer of `/midjourney/tasks`: a task record, `{}`, or `{items, count}`."""
        action, now = bodies.choice(body, "action", ("retrieve", "retrieve_batch"), "retrieve"), time.time()
        if action == "retrieve":
            task_id, trace_id = bodies.text(body, "id"), bodies.text(body, "trace_id")
            if not task_id and not trace_id:
                raise bad("id or trace_id is required")
            job = self._store.job("id", task_id) if task_id else self._store.job("trace_id", trace_id)
            return results.record(job, base_url, now) if job else {}
        ids, trace_ids = bodies.strings(body, "ids"), bodies.strings(body, "trace_ids")
        offset = bodies.integer(body, "offset", 0, 0, 2**31)
        limit = bodies.integer(body, "limit", 12, 1, 1000)
        column: Literal["id", "trace_id"] | None
        column = "id" if ids is not None else "trace_id" if trace_ids is not None else None
        jobs, count = self._store.jobs(column, ids or trace_ids or [], offset, limit)
        return {"items": [results.record(job, base_url, now) for job in jobs], "count": count}
