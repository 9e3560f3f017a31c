"""Submit orders and resume jobs: run each to its end, then finish it."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.api.endpoints import endpoint as endpoint_named
from mjcli.cli.finished import FinishedJob
from mjcli.cli.hints import before_sending, command, follow, imagine, links_end, resume
from mjcli.cli.options import ImageOptions, SubmitOptions, WaitOptions
from mjcli.cli.output.result import print_result
from mjcli.cli.output.text import shortened
from mjcli.cli.output.watch import JobWatch
from mjcli.cli.pictures import JobPictures, check_steps, keeps_steps, with_download
from mjcli.cli.pipe import check_one_image
from mjcli.cli.save import Saver, check_fixed_name, check_names, file_target, preload, target_record
from mjcli.errors import (
    DownloadError,
    Interrupted,
    MjError,
    StillRunning,
    UsageError,
)

if TYPE_CHECKING:
    from mjcli.api import Client
    from mjcli.cli.context import Context
    from mjcli.cli.cost import CommandCosts
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import FileOptions
    from mjcli.cli.output.sink import Output
    from mjcli.cli.steps import Steps
    from mjcli.jobs.batch import Account, Ended
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger
    from mjcli.jobs.order import Order, Outcome
    from mjcli.jobs.pace import Pace
    from mjcli.jobs.poller import Poller
    from mjcli.jobs.runner import Runner
    from mjcli.media.names import Target
    from mjcli.settings.load import Settings

_PLACEHOLDER_URL = "https://callback.invalid/"  # for the receiver that a dry run does not open


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
        if keeps_steps(wait):
            check_steps(wait)
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
    target = file_target(output, settings, with_download(files, options.wait), split=split)
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
        costs: CommandCosts,
    ) -> None:
        self._costs = costs
        self._output, self._settings, self._saver = output, settings, saver
        self._client, self._ledger, self._links_end = client, ledger, links_end
        self._warned_of: str | None = None  # a callback URL
        self._overridden_mode: str | None = None  # by a prompt, as a notice said
        self.suggests = True  # what to type after a text result
        self._notifies = self._opens = False
        #: What shows and keeps the pictures of the jobs.
        self.pictures = JobPictures(output, settings, WaitOptions())
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
            costs=context.costs,
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
            from mjcli.media.names import check_for_several, for_quadrants

            if _are_of_one_grid(orders) and not target.stdout:
                target = for_quadrants(target)
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

        orders = self._planned(orders, options)
        if len(orders) == 1 or options.submit.dry_run:
            for order in orders:
                self.submit(order, options, target, files, planned=True)
        else:
            self._submit_several(orders, options, target, files)

    def _submit_several(
        self,
        orders: Sequence[Order],
        options: JobOptions,
        target: Target | None,
        files: FileOptions | None,
    ) -> None:
        """Submit several orders at the same time."""
        from mjcli.cli.several import Several, Task

        self._prepare(options, files=target is not None)

        def task(number: int, order: Order) -> Task:
            order = self._ready(order, options, target, files)
            steps = self.pictures.steps(order, target)
            listening = contextlib.ExitStack()

            def finish(output: Output, ended: Ended) -> None:
                assert ended.outcome is not None
                with listening:
                    mine = self._for_output(output, another=number < len(orders))
                    mine._conclude(order, ended.outcome, options, target, files, steps)

            def failed(_job: Job | None, error: MjError) -> None:
                listening.close()
                self._explain(error, options, files)

            return Task(
                _title(order),
                watch=lambda output: self._for_output(output)._watch(order, options, steps),
                finish=finish,
                order=lambda: listening.enter_context(self._listening(order, options.wait)),
                failed=failed,
            )

        # A receiver at a port of the user's serves one job at a time.
        jobs = 1 if options.wait.listen and options.wait.port else None
        account = self._account(record=not options.submit.no_ledger, listens=options.wait.listen, jobs=jobs)
        ledger = None if options.submit.no_ledger else self._ledger()
        tasks = [task(number, order) for number, order in enumerate(orders, start=1)]
        crowded = self._prints_events(options) and self._output.stdout_is_terminal
        Several(self._output, tasks, account, ledger, verb="sent").run(board=not crowded)

    def submit(
        self,
        order: Order,
        options: JobOptions,
        target: Target | None = None,
        files: FileOptions | None = None,
        *,
        show: bool = True,
        planned: bool = False,
    ) -> Outcome | None:
        """Submit an order, finish its job, and print the result if `show`; None when nothing was sent.

        Its cost is checked unless it was `planned` with others.
        """
        if not planned:
            (order,) = self._planned([order], options)
        if options.submit.dry_run:
            self._dry_run(order.path, dict(order.body), options, stream=options.streams(order.endpoint))
            return None
        order = self._ready(order, options, target, files)
        self._prepare(options, files=target is not None)
        steps = self.pictures.steps(order, target)
        with self._listening(order, options.wait) as order:
            outcome = self._run(order, options, files, steps)
        self._conclude(order, outcome, options, target, files, steps, show=show)
        return outcome

    def _ready(
        self, order: Order, options: JobOptions, target: Target | None, files: FileOptions | None
    ) -> Order:
        """The order as it is sent."""
        return order._replace(
            files=target_record(target, force=files is not None and files.force),
            stream=options.streams(order.endpoint),
            at_once=options.at_once,
            timeout=options.submit.timeout,
        )

    def _prepare(self, options: JobOptions, *, files: bool) -> None:
        """Do what must be done before the ledger has a row."""
        preload(files=files)
        self._warn_of_private_url(options.wait.callback_url)
        self._output.notifies = self._notifies
        with before_sending(options.submit):
            client = self._client()
            client.retries = options.submit.retries
            client.prepare()
            if not options.submit.no_ledger:
                self._output.detail(f"Ledger: {self._ledger().path}")

    def _conclude(
        self,
        order: Order,
        outcome: Outcome,
        options: JobOptions,
        target: Target | None,
        files: FileOptions | None,
        steps: Steps | None,
        *,
        show: bool = True,
    ) -> None:
        """Save the files of a job and print its result, or its task id, if `show`."""
        force, output = (files.force, files.output) if files is not None else (False, None)
        retry = _retry(outcome, output)
        with _after_acceptance(outcome, retry):
            if options.at_once and outcome.result.state() != "done":
                self._print_task(outcome, retry, files_requested=target is not None)
            elif show:
                record = not options.submit.no_ledger
                self._finish(order, outcome, target, force=force, retry=retry, steps=steps, record=record)

    def _planned(self, orders: Sequence[Order], options: JobOptions) -> list[Order]:
        """The orders with their whole bodies and what they cost. Raises `LimitReached`."""
        whole = [
            order._replace(body={**order.body, **self._shared_fields(order, options)}) for order in orders
        ]
        limited = options.submit.max_jobs is not None or options.submit.max_cost is not None
        if options.submit.dry_run and not limited:
            return whole
        with before_sending(options.submit):
            return self._costs.plan(whole, options.submit)

    def _warn_of_private_url(self, url: str | None) -> None:
        """Warn once, before the first job is paid for, if the service cannot reach the callback URL."""
        if url is None or url == self._warned_of or is_reachable(self._settings, url):
            return
        self._warned_of = url
        self._output.warning(
            f'The service cannot reach --callback-url "{url}", which is in a private network.'
            " `mj resume` fetches the result in any case."
        )

    def _run(
        self, order: Order, options: JobOptions, files: FileOptions | None, steps: Steps | None
    ) -> Outcome:
        """Send an order and watch its job; however it ends, the error says what that means for the bill."""
        with self._watch(order, options, steps) as watch:
            try:
                return self._runner(record=not options.submit.no_ledger).run(order, watch)
            except (Interrupted, MjError) as error:
                self._explain(error, options, files)
                raise

    def _watch(self, order: Order, options: JobOptions, steps: Steps | None) -> JobWatch:
        """What shows the progress of a job."""
        client, sink = self._client(), self._output
        sink.detail(
            f"POST {client.base_url}{order.path}, profile {self._settings.profile.value}: "
            f"{shortened(dict(order.body))}"
        )
        return JobWatch(
            sink,
            bar=order.stream,
            print_events=self._prints_events(options),
            preview=self.pictures.previewer(order, steps),
        )

    def _prints_events(self, options: JobOptions) -> bool:
        return self._output.json and options.wait.stream is True

    def _explain(self, error: Interrupted | MjError, options: JobOptions, files: FileOptions | None) -> None:
        """Say what to type after a job that failed, where that depends on the options."""
        if not options.submit.no_ledger:
            with contextlib.suppress(MjError), before_sending(options.submit):
                if isinstance(error, MjError):
                    raise error
        elif isinstance(error, (Interrupted, StillRunning)) and error.task_id:
            error.hint = follow(error.task_id, files.output if files is not None else None)

    def _for_output(self, output: Output, *, another: bool = False) -> Submitter:
        """This submitter, for a job that has an output of its own."""
        mine = copy.copy(self)
        mine._output, mine._saver, mine._another = output, self._saver.for_output(output), another
        mine.pictures = self.pictures.for_output(output)
        return mine

    def _account(self, *, record: bool = True, listens: bool = False, jobs: int | None = None) -> Account:
        """The account that runs several jobs."""
        from mjcli.jobs.batch import Account
        from mjcli.jobs.follow import follow as by_callbacks
        from mjcli.jobs.poller import Poller

        def runner(poller: Poller, pace: Pace) -> Runner:
            return self._runner(record=record, follow=by_callbacks if listens else poller.follow, pace=pace)

        return Account(self._settings.profile.value, runner, Poller(self._client()), jobs=jobs)

    def _runner(self, *, record: bool = True, **more: Any) -> Runner:
        from mjcli.jobs.runner import Runner

        settings = self._settings
        ledger = self._ledger() if record else None
        return Runner(self._client(), ledger, profile=settings.profile.value, host=settings.host, **more)

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
        preload(files=target is not None)
        if job.sent_at is None:
            self._costs.prepare_report()
        self._output.notifies = self._notifies
        if job.state != "done" and retries is not None:
            self._client().retries = retries
        with JobWatch(self._output) as watch:
            outcome = self._runner().resume(
                job, watch, timeout=timeout, at_once=at_once, limits=self._costs.limits
            )
        self._conclude_resumed(job, outcome, target, force=force, at_once=at_once, show=show)
        return outcome

    def resume_all(
        self,
        jobs: Sequence[Job],
        target_of: Callable[[Job], Target | None],
        force_of: Callable[[Job], bool],
        *,
        timeout: float | None,
        failed: Callable[[Job, MjError], Job | None],
        asks: bool,
    ) -> None:
        """Resume several jobs at the same time, or with `asks` one after the other.

        `failed` returns the job that takes the place of one that failed, if any.
        """
        from mjcli.cli.several import Several, Task

        preload(files=True)
        self._client().prepare()
        targets: dict[str, Target | None] = {}

        def task(job: Job) -> Task:
            def watch(output: Output) -> JobWatch:
                # Before the job is continued: files that cannot be saved concern this one alone.
                targets[job.uuid] = target_of(job)
                return JobWatch(output)

            def finish(output: Output, ended: Ended) -> None:
                assert ended.outcome is not None
                assert ended.item.job is not None
                mine = self._for_output(output)
                mine._conclude_resumed(ended.item.job, ended.outcome, targets[job.uuid], force=force_of(job))

            return Task(
                title_of(job),
                watch=watch,
                finish=finish,
                job=job,
                failed=lambda job, error: failed(job, error) if job is not None else None,
                timeout=timeout,
                limits=self._costs.limits,
            )

        several = Several(
            self._output,
            [task(job) for job in jobs],
            self._account(jobs=1 if asks else None),
            self._ledger(),
            verb="resumed and stay in the ledger",
        )
        several.run(board=not asks)

    def _conclude_resumed(
        self,
        job: Job,
        outcome: Outcome,
        target: Target | None,
        *,
        force: bool,
        at_once: bool = False,
        show: bool = True,
    ) -> None:
        """Save the files of a job that was resumed and print its result, or its task id, if `show`."""
        from mjcli.jobs.order import Order

        retry = resume(outcome.job or job.reference)
        with _after_acceptance(outcome, retry):
            if at_once and outcome.result.state() != "done":
                self._print_task(outcome, retry, files_requested=target is not None)
            elif show:
                self._finish(Order.of(job), outcome, target, force=force, retry=retry, earlier=job)

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
        steps: Steps | None = None,
        record: bool = True,
    ) -> None:
        if target is None and outcome.result.file_urls and not self._opens and self._links_end():
            self._output.notice(f"{links_end()} --download saves the image.")
        more = self._next_lines(order, outcome)

        def show(job: FinishedJob, saved: list[str], problem: DownloadError | None) -> None:
            beside, fields = self.pictures.finish(job, saved, steps, self._ledger if record else None)
            output, another = self._output, self._another
            print_result(
                output, job.result, saved, problem, more, beside=beside, fields=fields, another=another
            )

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


def _are_of_one_grid(orders: Sequence[Order]) -> bool:
    """Whether orders take different images out of the same grid."""
    from mjcli.api.actions import quadrant_of

    numbers = {quadrant_of(order.action) for order in orders}
    images = {order.body.get("image_id") for order in orders}
    return None not in numbers and len(numbers) == len(orders) and len(images) == 1


def title_of(job: Job) -> str:
    """A job of the ledger as people know it."""
    words = job.words or f"{job.action} {job.reference}"
    return words if len(words) <= 60 else f"{words[:59]}…"


def _title(order: Order) -> str:
    """What tells an order from the others of its command: the action, the image, the prompt."""
    body = order.body
    source = next((str(body[name]) for name in ("image_url", "image_id", "video_id") if body.get(name)), "")
    action = order.action if order.kind == "action" else ""
    return " ".join(filter(None, [action, source, str(body.get("prompt") or "")]))


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
