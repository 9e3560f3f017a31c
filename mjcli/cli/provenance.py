"""Where the images of a job come from, for their metadata: what the request, the result and the ledger say."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mjcli import __version__
from mjcli.media.metadata import How, Metadata, Provenance
from mjcli.prompt.parse import parse

if TYPE_CHECKING:
    from mjcli.cli.finished import FinishedJob
    from mjcli.jobs.ledger import Ledger
    from mjcli.media.names import Target

SERVICE = "Midjourney"


def metadata_of(
    job: FinishedJob,
    target: Target,
    ledger: Ledger | None,
    *,
    host: str,
    profile: str,
    hide: Callable[[str], str],
    force: bool,
) -> Metadata | None:
    """How the metadata of a job's images is saved, None if it is not; `hide` masks the tokens in a text.

    Raises `ConfigError` if the ledger cannot be read.
    """
    if target.metadata not in ("embed", "sidecar"):
        return None
    how: How = "embed" if target.metadata == "embed" else "sidecar"
    parents = list(ledger.parents(profile, job.parent)) if ledger is not None else []
    row = ledger.get(job.uuid) if ledger is not None and job.uuid is not None else None
    requests = [job.request, *(parent.request for _, parent in parents if parent is not None)]
    request = next((each for each in requests if each.get("prompt")), {})
    prompt = _without_links(str(request.get("prompt") or job.subject))
    values = _parameters(prompt)
    image_id = job.result.id or None
    seed = values.get("seed")
    if seed is None and ledger is not None and image_id is not None and job.job is not None:
        seed = ledger.seed_of(profile, image_id)  # only an earlier image can have one
    created_at = job.requested_at or (row.created_at if row is not None else time.time())
    provenance = Provenance(
        prompt=hide(prompt),
        parameters=hide(" ".join(part.text for part in parse(prompt).of("parameter"))),
        action=hide(job.action),
        service=SERVICE,
        host=host,
        version=_version(request, values),
        seed=seed,
        job=job.uuid,
        task_id=hide(job.task_id or job.result.task_id or "") or None,
        image_id=hide(image_id or "") or None,
        parents=tuple(image for image, _ in parents) or ((job.parent,) if job.parent else ()),
        created_at=created_at,
        software=f"mj {__version__}",
    )
    return Metadata(how, provenance, force=force, beside=not target.stdout)


def _without_links(prompt: str) -> str:
    """A prompt without its image prompts, and without the signatures of other links: they open private files."""
    words = "".join(str(part) for part in parse(prompt).parts if part.kind != "image").strip()
    return re.sub(r"(?i)(https?://[^\s?#]+)[?#]\S*", r"\1", words)


def _version(request: Mapping[str, Any], values: Mapping[str, str]) -> str | None:
    if "niji" in values:
        return f"niji {values['niji']}".strip()
    return str(values.get("version") or request.get("version") or "") or None


def _parameters(prompt: str) -> dict[str, str]:
    """The values of the parameters in a prompt, by their names; the last of equal ones counts."""
    return {
        part.parameter.name: " ".join(value.text for value in part.values)
        for part in parse(prompt).of("parameter")
        if part.parameter is not None
    }
