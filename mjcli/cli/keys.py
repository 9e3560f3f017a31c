"""Job keys: a command with `--key NAME` joins the job that has the key, instead of paying for another one."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mjcli.cli.hints import command as command_line
from mjcli.cli.pictures import JobPictures, with_download
from mjcli.cli.save import requested_target, target_record
from mjcli.errors import UsageError

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import FileOptions, PromptOptions
    from mjcli.cli.request import Words
    from mjcli.cli.submit import JobOptions, Submitter
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order, Outcome
    from mjcli.media.names import Target
    from mjcli.settings.load import Settings

LONGEST = 200  # characters of a key
LOCK_PAUSE = 0.05  # seconds between attempts to lock a job that another process is about to send

# How a job is waited for; a joined job takes these from the present command.
_WAITING = ("async", "callback_url", "timeout")


class KeyedJob:
    """The job of one command, which may have a key.

    `typed` is what was typed, by name: the request is the same if the command, these and the mode are equal.
    Nothing of it is resolved. Without a key, jobs are submitted as they are.
    """

    def __init__(
        self, context: Context, lookup: Lookup, options: JobOptions, command: str, **typed: object
    ) -> None:
        from mjcli.cli.submit import Submitter

        self._context, self._lookup, self._options = context, lookup, options
        self._submitter: Submitter = Submitter.of(context, lookup)
        self._submitter.at_end(notify=options.wait.notify, show=options.wait.open)
        self._submitter.pictures = JobPictures(context.output, context.settings, options.wait)
        self._key = options.submit.key
        self._fingerprint = ""
        _check(options)
        if self._key is not None:
            mode = options.image.mode or context.settings.mode.value
            fields = {"mode": mode, "split_images": options.image.split_images, **typed}
            self._fingerprint = _fingerprint(command, fields)

    def derived(self, part: str) -> JobOptions:
        """The options of a job that the command needs first, which has a key of its own."""
        submit = self._options.submit
        key = submit.key and f"{submit.key}/{part}"
        return self._options._replace(submit=submit._replace(key=key))

    def without_suggestions(self) -> KeyedJob:
        """This job, for a command that continues with its result itself."""
        self._submitter.suggests = False
        return self

    def join(
        self, files: FileOptions | None = None, *, split: bool = False, show: bool = True
    ) -> Outcome | None:
        """Finish the job that has the key, and return its outcome; None if there is no such job.

        Raises `UsageError` if it is another request, and as `Submitter.resume` does.
        """
        if self._key is None or self._options.submit.dry_run:
            return None
        ledger = self._context.existing_ledger
        job = ledger.by_key(self._profile, self._key) if ledger is not None else None
        if ledger is None or job is None:
            return None
        self._check_same(job)
        if job.state != "done":
            self._lookup.check_host(job)
        if job.never_accepted or (job.state == "failed" and self._options.submit.retry_failed):
            self._check_cost(job)
        job = self._retried(ledger, job)
        self._context.output.notice(f'Joining job {job.reference}, which has the key "{self._key}".')
        settings, options = self._context.settings, self._options
        files = files and with_download(files, options.wait)
        if job.never_accepted:
            from mjcli.cli.submit import prepare

            target = (
                prepare(self._context.output, settings, options, files, split=split)
                if files is not None
                else None
            )
            job = self._claimed(ledger, job, target, force=files is not None and files.force)
        else:
            target = (
                requested_target(self._context.output, settings, files, split=split)
                if files is not None
                else None
            )
            if target is not None and job.state != "done":
                record = target_record(target, force=files is not None and files.force)
                ledger.request_files(job.uuid, record or {})
        return self._submitter.resume(
            job,
            target,
            force=files is not None and files.force,
            timeout=options.submit.timeout,
            at_once=options.at_once,
            retries=options.submit.retries,
            show=show,
        )

    def submit_all(
        self,
        orders: Sequence[Order],
        target: Target | None = None,
        files: FileOptions | None = None,
        *,
        split: bool = False,
    ) -> None:
        """Submit orders; with a key there is one, and it joins a job that has got the key meanwhile."""
        if self._key is None or self._options.submit.dry_run:
            self._submitter.submit_all(orders, self._options, target, files)
            return
        if len(orders) != 1:
            raise UsageError(
                f"--key names one job, but this would start {len(orders)}. Nothing was sent.",
                hint="run the command once for each, with different keys",
            )
        self.submit(orders[0], target, files, split=split)

    def submit(
        self,
        order: Order,
        target: Target | None = None,
        files: FileOptions | None = None,
        *,
        split: bool = False,
        show: bool = True,
    ) -> Outcome | None:
        """Submit an order, or join the job that has got the key meanwhile."""
        from mjcli.jobs.ledger import KeyTaken

        order = order._replace(key=self._key, key_fingerprint=self._fingerprint or None)
        try:
            return self._submitter.submit(order, self._options, target, files, show=show)
        except KeyTaken:
            outcome = self.join(files, split=split, show=show)
            if outcome is None:
                raise UsageError(
                    f'The job with the key "{self._key}" is damaged in the ledger. Nothing was sent.',
                    hint="choose another key",
                ) from None
            return outcome

    # -- parts -------------------------------------------------------------------------------------

    @property
    def _profile(self) -> str:
        profile: str = self._context.settings.profile.value
        return profile

    def _check_same(self, job: Job) -> None:
        """Refuse the key of another request. Raises `UsageError`."""
        if job.key_fingerprint != self._fingerprint:
            raise UsageError(
                f'Key "{self._key}" belongs to another request, job {job.reference}. Nothing was sent.',
                hint=command_line("history", "show", job.reference),
            )

    def _retried(self, ledger: Ledger, job: Job) -> Job:
        """The job, or the one that replaces it if it failed and --retry-failed was given."""
        if job.state != "failed" or job.never_accepted:
            return job
        if not self._options.submit.retry_failed:
            failure = job.failure()
            failure.hint = "--retry-failed sends it again, as a new job"
            raise failure
        limits = self._context.costs.limits
        fresh = ledger.resubmit(job.uuid, state="failed", limits=limits) or ledger.by_key(
            self._profile, self._key or ""
        )
        return fresh or job

    def _check_cost(self, job: Job) -> None:
        """Refuse to send a job again that exceeds --max-cost or --max-jobs. Raises `LimitReached`."""
        from mjcli.jobs.order import Order

        self._context.costs.plan([Order.of(job)._replace(key=self._key)], self._options.submit)

    def _claimed(self, ledger: Ledger, job: Job, target: Target | None, *, force: bool) -> Job:
        """A job that was never accepted, made sendable by this process unless another one is sending it."""
        from mjcli.jobs.clock import SYSTEM_CLOCK

        while job.never_accepted:
            if ledger.locks.acquire(job.number):
                body = {name: value for name, value in job.request.items() if name not in _WAITING}
                body |= self._submitter.waiting_fields(job.path, self._options)
                limits = self._context.costs.limits
                ledger.reuse(job, body, target_record(target, force=force), limits)
                return ledger.get(job.uuid) or job
            if job.unsent:
                return job  # the runner waits for the process that is sending it
            SYSTEM_CLOCK.sleep(LOCK_PAUSE)
            job = ledger.get(job.uuid) or job
        return job


def typed_prompt(settings: Settings, words: Words, prompt: PromptOptions | None = None) -> dict[str, object]:
    """What was typed for a prompt, and the version that it is for, as fields of a fingerprint."""
    from mjcli.prompt.compose import Suffix, compose
    from mjcli.prompt.parameters import BY_SPELLING
    from mjcli.prompt.parse import parse

    names = (prompt.preset if prompt is not None else None) or []
    texts = [
        settings.suffix.value,
        *(settings.presets[name].value for name in names if name in settings.presets),
    ]
    suffixes = [Suffix("defaults", each) for each in texts if each]
    typed = compose(words.images, words.prompt, checked=False).text
    whole = compose(words.images, words.prompt, suffixes, checked=False).text
    slot = BY_SPELLING["version"].slot
    parts = parse(whole).parts
    version = [part.text for part in parts if part.parameter is not None and part.parameter.slot == slot]
    return {"prompt": typed, "preset": names or None, "version": version[-1:] or None}


def _check(options: JobOptions) -> None:
    """Refuse a malformed key, and options that contradict it. Raises `UsageError`."""
    options.check()
    submit = options.submit
    key = submit.key
    if key is None:
        if submit.retry_failed:
            raise UsageError("--retry-failed needs --key.")
        return
    if not key.strip() or len(key) > LONGEST or not key.isprintable():
        raise UsageError(f"--key must be 1 to {LONGEST} printable characters.")
    if submit.no_ledger:
        raise UsageError("--key is stored in the ledger, so it cannot be combined with --no-ledger.")


def check_permute(options: JobOptions, prompt: PromptOptions) -> None:
    """Refuse a key for several jobs. Raises `UsageError`."""
    if options.submit.key is not None and prompt.permute:
        raise UsageError("--key names one job, so it cannot be combined with --permute.")


def _fingerprint(command: str, typed: Mapping[str, object]) -> str:
    """What identifies a request as typed, whatever its references mean now."""
    fields = {name: _folded(value) for name, value in typed.items() if value is not None}
    text = json.dumps([command, fields], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _folded(value: object) -> Any:
    """A value as JSON, with white space folded and Unicode normalised."""
    if isinstance(value, (list, tuple)):
        return [_folded(each) for each in value]
    if isinstance(value, (bool, int, float)):
        return value
    return " ".join(unicodedata.normalize("NFC", str(value)).split())
