"""What the gallery says about a job in the words of the interface: commands to copy, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mjcli.cli.hints import Outside, action_on, command, resume, with_globals
from mjcli.gallery.entries import Extras
from mjcli.jobs.budget import amount

if TYPE_CHECKING:
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.settings.load import Settings

NEEDS_MASK = "variation_region"  # an action that no button and no command without a mask can start


class JobFacts:
    """Makes the extras of jobs. A `public` page names no profile and no cost."""

    def __init__(self, output: Output, settings: Settings, *, public: bool) -> None:
        self._output, self._public = output, public
        self._sandbox = bool(settings.sandbox.value)
        # The profile that a command without options uses.
        chosen = settings.profile.source == "option --profile"
        self._plain_profile = None if chosen else str(settings.profile.value)

    def of(self, job: Job) -> Extras:
        """The extras of a job."""
        lines = [(label, self._line(job, line)) for label, line in _commands(job) if line]
        return Extras([(label, line) for label, line in lines if line], "" if self._public else _cost(job))

    def _line(self, job: Job, line: str) -> str:
        """A command for the profile of its job; empty if it cannot be shown exactly."""
        if self._sandbox:
            line = with_globals(line, ["--sandbox"])
        elif not self._public and job.profile != self._plain_profile:
            line = with_globals(line, ["--profile", job.profile])
        return line if self._output.secret.hide(line) == line else ""


def _commands(job: Job) -> list[tuple[str, str]]:
    """Labels and commands: empty where an id cannot be typed."""
    from mjcli.api.models import Result

    name = Outside(job.reference)
    found = [("History", command("history", "show", name))]
    if job.unfinished:
        return [("Resume", resume(name)), *found]
    if job.state != "done":
        return found
    if job.makes != "text":
        shown = [("Show in the terminal", command("show", name))] if job.has_image else []
        found = [*shown, ("Open", command("open", name)), ("Save", command("download", name)), *found]
    if job.has_video and job.image_id:
        found.append(("Extend", command("extend-video", Outside(job.image_id))))
    if job.has_image and job.image_id:
        for action in Result(job.result or {}).actions:
            if action != NEEDS_MASK:
                found.append((action_label(action), action_on(action, job.image_id)))
    return found


def action_label(action: str) -> str:
    """What people call an action: "Upscale 1" for `upscale1`."""
    from mjcli.api.actions import short

    words = " ".join(short(action)).removeprefix("action ").replace("_", " ")
    return "Imagine" if action == "generate" else words.capitalize()


def _cost(job: Job) -> str:
    if job.host == "sandbox" or job.state == "failed":
        return ""
    if job.charged is not None:
        return amount(job.charged)
    return f"about {amount(job.estimate)}" if job.estimate is not None else ""
