"""Submit orders and resume jobs: run each to its end, then finish it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mjcli.api.endpoints import endpoint as endpoint_named
from mjcli.cli.finished import FinishedJob
from mjcli.cli.hints import before_sending, command, follow, imagine, links_end, resume
from mjcli.cli.options import ImageOptions, SubmitOptions, WaitOptions
from mjcli.cli.output.result import print_result
from mjcli.cli.output.text import shortened
from mjcli.cli.output.watch import JobWatch
from mjcli.cli.pipe import check_one_image
from mjcli.cli.save import Saver, check_fixed_name, check_names, file_target, preload, target_record
from mjcli.errors import (
    DownloadError,
    ExitCode,
    Interrupted,
    MjError,
    NameInUse,
    StillRunning,
    UsageError,
)

if TYPE_CHECKING:
    from mjcli.api import Client
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import FileOptions
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order, Outcome
    from mjcli.jobs.runner import Runner
    from mjcli.media.names import Target
    from mjcli.settings.load import Settings

T = TypeVar("T")

_PLACEHOLDER_URL = "https://callback.invalid/"  # for the receiver that a dry run does not open

# After one of these the next of several jobs can still succeed.
_ONE_JOB_ONLY = (ExitCode.REFUSED, ExitCode.RUNNING, ExitCode.FILE, ExitCode.UNKNOWN)

# The jobs of `mj resume` have their own output directories, so that one of these need not concern the next.
ONE_RESUMED_JOB_ONLY = (*_ONE_JOB_ONLY, ExitCode.USAGE)


class JobOptions(NamedTuple):
    """How jobs are submitted and waited for."""

    submit: SubmitOptions
    wait: WaitOptions = WaitOptions()
    image: ImageOptions = ImageOptions()

    @property
    def at_once(self) -> bool:
        """Whether the response is a task id instead of a result."""
        return self.wait.no_wait or self.wait.callback_url is not None

    def check(self) -> None:
        """Refuse options that contradict one another. Raises `UsageError`."""
        wait = self.wait
        url = wait.callback_url
        if url is not None:
            from mjcli.jobs.addresses import check_callback_url

            check_callback_url(url)
        if wait.listen and self.at_once:
            other = "--no-wait" if url is None else "--callback-url"
            raise UsageError(f"--listen waits for its own callback, so it cannot be combined with {other}.")
        if not wait.listen and (wait.host, wait.port, wait.public_url) != ("127.0.0.1", 0, None):
            raise UsageError("--host, --port and --public-url need --listen.")
        for name, value in (("--notify", wait.notify), ("--open", wait.open)):
            if value and self.at_once:
                other = "--no-wait" if url is None else "--callback-url"
                raise UsageError(f"{name} needs the end of the job, so it cannot be combined with {other}.")
        if wait.listen:
            from mjcli.jobs.addresses import bind_host, path_of_public_url

            bind_host(wait.host)
            if wait.public_url is not None:
                path_of_public_url(wait.public_url)

    def streams(self, endpoint: str) -> bool:
        """Whether the response is a stream of progress."""
        stream = bool(self.wait.stream) if self.at_once else self.wait.stream is not False
        return stream and endpoint_named(endpoint).streams


def prepare(
    output: Output, settings: Settings, options: JobOptions, files: FileOptions, *, split: bool = False
) -> Target | None:
    """Where files go; all that could prevent the jobs is found before anything is sent. Raises `UsageError`."""
    options.check()
    target = file_target(output, settings, files, split=split)
    check_one_image(target, several=bool(options.image.split_images), at_once=options.at_once)
    if target is not None:
        check_fixed_name(target, force=files.force)
    return target


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value; the service has its own defaults for the rest."""
    return {name: value for name, value in fields.items() if value is not None}


class Submitter:
    """Carries out orders and resumes jobs for one command.

    `client` and `ledger` return the API client and the ledger; both are called when first needed.
    """

    def __init__(
        self,
        output: Output,
        settings: Settings,
        saver: Saver,
        *,
        client: Callable[[], Client],
        ledger: Callable[[], Ledger],
        links_end: Callable[[], bool],
    ) -> None:
        self._output, self._settings, self._saver = output, settings, saver
        self._client, self._ledger, self._links_end = client, ledger, links_end
        self._warned_of: str | None = None  # a callback URL
        self._overridden_mode: str | None = None  # by a prompt, as a notice said
        self.suggests = True  # what to type after a text result
        self._notifies = self._opens = False
        self._another = False  # whether another job of this command follows

    @classmethod
    def of(cls, context: Context, lookup: Lookup) -> Submitter:
        """The submitter of this run."""
        return cls(
            context.output,
            context.settings,
            Saver.of(context, lookup),
            client=lambda: context.client,
            ledger=lambda: context.ledger,
            links_end=lambda: context.links_end,
        )

    def at_end(self, *, notify: bool, show: bool) -> None:
        """Notify the person when this run ends, and show each image with the system's viewer."""
        self._notifies, self._opens = notify, show
        if show:
            import mjcli.cli.opener  # noqa: F401  # before a job, as in `preload`

    # -- new jobs ----------------------------------------------------------------------------------

    def submit_all(
        self,
        orders: Sequence[Order],
        options: JobOptions,
        target: Target | None = None,
        files: FileOptions | None = None,
    ) -> None:
        """Submit orders one after the other; `files` is None for those that make none."""
        if target is not None and len(orders) > 1:
            from mjcli.media.names import check_for_several

            check_for_several(target)
        if target is not None and files is not None:
            for order in orders:
                check_names(
                    order,
                    target,
                    self._output.secret.hide,
                    force=files.force,
                    split_images=options.image.split_images,
                )

        def submit(numbered: tuple[int, Order]) -> None:
            number, order = numbered
            self._another = number < len(orders)
            if len(orders) > 1 and not options.submit.dry_run:
                self._output.heading(number, len(orders), _title(order))
            self.submit(order, options, target, files)

        one_by_one(self._output, list(enumerate(orders, start=1)), submit, verb="sent")

    def submit(
        self,
        order: Order,
        options: JobOptions,
        target: Target | None = None,
        files: FileOptions | None = None,
        *,
        show: bool = True,
    ) -> Outcome | None:
        """Submit an order, finish its job, and print the result if `show`; None when nothing was sent."""
        stream = options.streams(order.endpoint)
        body = {**order.body, **self._shared_fields(order, options)}
        if options.submit.dry_run:
            self._dry_run(order.path, body, options, stream=stream)
            return None
        force, output = (files.force, files.output) if files is not None else (False, None)
        order = order._replace(
            body=body,
            files=target_record(target, force=force),
            stream=stream,
            at_once=options.at_once,
            timeout=options.submit.timeout,
        )
        preload(files=target is not None)
        self._warn_of_private_url(options.wait.callback_url)
        with self._listening(order, options.wait) as order:
            outcome = self._run(order, options, output)
        retry = _retry(outcome, output)
        with _after_acceptance(outcome, retry):
            if options.at_once and outcome.result.state() != "done":
                self._print_task(outcome, retry, files_requested=target is not None)
            elif show:
                self._finish(order, outcome, target, force=force, retry=retry)
        return outcome

    def _warn_of_private_url(self, url: str | None) -> None:
        """Warn once, before the first job is paid for, if the service cannot reach the callback URL."""
        if url is None or url == self._warned_of or is_reachable(self._settings, url):
            return
        self._warned_of = url
        self._output.warning(
            f'The service cannot reach --callback-url "{url}", which is in a private network.'
            " `mj resume` fetches the result in any case."
        )

    def _run(self, order: Order, options: JobOptions, output: str | None) -> Outcome:
        """Send an order and watch its job; however it ends, the error says what that means for the bill."""
        client, sink = self._client(), self._output
        sink.notifies = self._notifies
        client.retries = options.submit.retries
        client.prepare()  # before the ledger has a row
        sink.detail(
            f"POST {client.base_url}{order.path}, profile {self._settings.profile.value}: "
            f"{shortened(dict(order.body))}"
        )
        print_events = sink.json and options.wait.stream is True
        record = not options.submit.no_ledger
        with (
            before_sending(options.submit),
            JobWatch(sink, bar=order.stream, print_events=print_events) as watch,
        ):
            try:
                if record:
                    sink.detail(f"Ledger: {self._ledger().path}")
                return self._runner(record=record).run(order, watch)
            except (Interrupted, StillRunning) as error:
                if error.task_id and not record:
                    error.hint = follow(error.task_id, output)
                raise

    def _runner(self, *, record: bool = True) -> Runner:
        from mjcli.jobs.runner import Runner

        settings = self._settings
        ledger = self._ledger() if record else None
        return Runner(self._client(), ledger, profile=settings.profile.value, host=settings.host)

    def waiting_fields(self, path: str, options: JobOptions) -> dict[str, Any]:
        """The body fields for how a job is waited for, as far as the endpoint at `path` has them."""
        if not endpoint_named(path.rpartition("/")[2]).streams:
            return {}
        timeout = options.submit.timeout
        return given(
            {
                "timeout": None if timeout is None else math.ceil(timeout),
                "callback_url": options.wait.callback_url,
                "async": True if options.wait.no_wait else None,
            }
        )

    def _shared_fields(self, order: Order, options: JobOptions) -> dict[str, Any]:
        """The body fields for how a job is made and waited for; the text endpoints have none of them."""
        endpoint = order.endpoint
        if not endpoint_named(endpoint).streams:
            return {}
        mode = options.image.mode or self._default_mode(str(order.body.get("prompt") or ""))
        if endpoint == "videos" and mode == "relax":  # from the settings: the option does not offer it
            self._output.notice("Videos have no relax mode; using the service's default.")
            mode = None
        shared = given({"mode": mode, "split_images": options.image.split_images})
        return {**shared, **self.waiting_fields(endpoint, options)}

    def _default_mode(self, prompt: str) -> str | None:
        """The mode of the settings, unless the prompt sets another one."""
        from mjcli.prompt.compose import mode_in

        mode: str | None = self._settings.mode.value
        typed = mode_in(prompt) if mode else None
        if typed is None or typed == mode:
            return mode
        if self._overridden_mode != typed:
            self._overridden_mode = typed
            self._output.notice(f'--{typed} in the prompt overrides defaults.mode "{mode}".')
        return typed

    def _dry_run(self, path: str, body: dict[str, Any], options: JobOptions, *, stream: bool) -> None:
        from mjcli.cli.dry_run import print_request

        if options.wait.listen:
            self._output.notice(f"{_PLACEHOLDER_URL} stands for the receiver's address.")
            body["callback_url"] = _PLACEHOLDER_URL
        print_request(self._output, self._settings, path, body, stream=stream)

    @contextlib.contextmanager
    def _listening(self, order: Order, wait: WaitOptions) -> Iterator[Order]:
        """With --listen, the order with the address of a receiver, which is open meanwhile."""
        if not wait.listen:
            yield order
            return
        from mjcli.jobs.callbacks import mailbox

        with mailbox(host=wait.host, port=wait.port, public_url=wait.public_url) as box:
            self._output.detail(f"Receiving callbacks at {box.url}")
            if not is_reachable(self._settings, box.url):
                self._output.warning(
                    f"The service cannot reach {box.url}, so the task is polled instead."
                    " --public-url takes the address of a tunnel."
                )
            yield order._replace(body={**order.body, "callback_url": box.url}, callbacks=box)

    # -- jobs of the ledger ------------------------------------------------------------------------

    def resume(
        self,
        job: Job,
        target: Target | None,
        *,
        force: bool,
        timeout: float | None,
        at_once: bool = False,
        retries: int | None = None,
        show: bool = True,
    ) -> Outcome:
        """Resume a job of the ledger and finish it; its files go to `target`. The options are as in `submit`."""
        from mjcli.jobs.order import Order

        preload(files=target is not None)
        self._output.notifies = self._notifies
        if job.state != "done" and retries is not None:
            self._client().retries = retries
        with JobWatch(self._output) as watch:
            outcome = self._runner().resume(job, watch, timeout=timeout, at_once=at_once)
        retry = resume(outcome.job or job.reference)
        with _after_acceptance(outcome, retry):
            if at_once and outcome.result.state() != "done":
                self._print_task(outcome, retry, files_requested=target is not None)
            elif show:
                self._finish(Order.of(job), outcome, target, force=force, retry=retry, earlier=job)
        return outcome

    # -- ends --------------------------------------------------------------------------------------

    def _finish(
        self,
        order: Order,
        outcome: Outcome,
        target: Target | None,
        *,
        force: bool,
        retry: str | None,
        earlier: Job | None = None,
    ) -> None:
        if target is None and outcome.result.file_urls and not self._opens and self._links_end():
            self._output.notice(f"{links_end()} --download saves the image.")
        more = self._next_lines(order, outcome)

        def show(job: FinishedJob, saved: list[str], problem: DownloadError | None) -> None:
            print_result(self._output, job.result, saved, problem, more, another=self._another)

        finished = FinishedJob.of_outcome(order, outcome, earlier)
        saved = self._saver.finish(finished, target, force=force, retry=retry, show=show)
        if self._opens and outcome.result.file_urls:
            self._open(finished, saved)

    def _open(self, job: FinishedJob, saved: Sequence[str]) -> None:
        """Open the first of a job's files, else its link; a failure does not concern the job."""
        from mjcli.cli import opener

        file = saved[0] if saved else None
        problem = opener.show(self._output, file, job.link, job.reference, link_ends=self._links_end())
        if problem is not None:
            self._output.warning(problem)

    def _next_lines(self, order: Order, outcome: Outcome) -> list[tuple[str, str]]:
        """What to type after a text result."""
        if not self.suggests:
            return []
        if order.kind == "describe" and outcome.job is not None:
            return [("next", self._output.next_command(command("describe", outcome.job, "--use", "1")))]
        if order.kind == "shorten":
            return [("next", self._output.next_command(imagine(outcome.result.texts[0])))]
        return []

    def _print_task(self, outcome: Outcome, retry: str | None, *, files_requested: bool) -> None:
        """Print the task id of a job that is not waited for."""
        if files_requested:
            self._output.notice("To save the images once they are ready, run the command below.")
        task_id = outcome.result.task_id or ""
        self._output.answer(
            {**outcome.result.document, "files": []},
            [("task", task_id), ("next", self._output.next_command(retry or ""))],
            [task_id],
        )


def _title(order: Order) -> str:
    """What tells an order from the others of its command: the action, the image, the prompt."""
    body = order.body
    source = next((str(body[name]) for name in ("image_url", "image_id", "video_id") if body.get(name)), "")
    action = order.action if order.kind == "action" else ""
    return " ".join(filter(None, [action, source, str(body.get("prompt") or "")]))


def one_by_one(
    output: Output,
    items: Sequence[T],
    do: Callable[[T], object],
    *,
    verb: str,
    continue_after: Collection[int] = _ONE_JOB_ONLY,
) -> None:
    """Do something for each item; one that fails by itself does not stop the rest.

    `verb` is the participle for what is not done to the items left over, such as "sent". `continue_after` are
    the exit statuses of failures that concern one item; so does an unexpected one.
    """
    for number, item in enumerate(items):
        try:
            do(item)
        except MjError as error:
            if len(items) == 1:
                raise
            output.failure(error)
            if error.exit_code not in continue_after and not isinstance(error, NameInUse):
                output.skipped(len(items) - number - 1, error, verb)
                return
        except Exception as error:
            if len(items) == 1:
                raise
            output.unexpected(error)


def is_reachable(settings: Settings, url: str) -> bool:
    """Whether the API may reach a callback URL: one in a private network is reached only from there."""
    from mjcli.jobs.addresses import is_private

    return settings.api_is_local or not is_private(url)


def _retry(outcome: Outcome, output: str | None) -> str | None:
    """The command that resumes a job, or saves its files."""
    if outcome.uuid is not None:
        return resume(outcome.job or "")
    return follow(outcome.task_id, output) if outcome.task_id else None


@contextlib.contextmanager
def _after_acceptance(outcome: Outcome, retry: str | None) -> Iterator[None]:
    """Errors from here on cannot undo the accepted job; they say so."""
    complete = outcome.result.state() == "done"
    try:
        yield
    except Interrupted as stop:
        stop.sent, stop.finished, stop.task_id, stop.hint = True, complete, outcome.task_id, retry
        raise
    except DownloadError as error:
        error.task_id = error.task_id or outcome.task_id
        state = "done and billed once" if complete else "accepted and continues at the service"
        error.message = f"The job is {state}, but: {error.message}"
        error.hint = retry
        raise
