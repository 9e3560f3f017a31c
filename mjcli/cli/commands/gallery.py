"""`mj gallery`: a page of the pictures, served or written, and contact sheets."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mjcli.cli.options import FILES_PANEL, ForceOption
from mjcli.cli.parser import MjCommand, new_app
from mjcli.errors import ConfigError, DownloadError, Interrupted, UsageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mjcli.cli.context import Context
    from mjcli.cli.gallery_actions import Actions
    from mjcli.gallery.collection import Which
    from mjcli.gallery.server import Server
    from mjcli.gallery.sheet import Labelled
    from mjcli.gallery.thumbnails import Thumbnails
    from mjcli.jobs.job import Job
    from mjcli.jobs.ledger import Ledger

app = new_app()

NEWEST = 5000  # jobs that are shown without --limit
LISTED = 5  # jobs that a suggested command names
WAKE_SECONDS = 1.0  # after which a signal is handled on Windows

_NO_PICTURE = "None of these jobs has a picture on this machine."


@app.command(
    "gallery",
    cls=MjCommand,
    epilog="""# In the browser, with new jobs as they arrive
mj gallery
# The page as files, for a web server
mj gallery --output site/ --title "Autumn campaign"
# Only some jobs, and what was made from them
mj gallery @1 7489df4c
mj history --tag client -q | mj gallery - --output site/
# A contact sheet
mj gallery --sheet sheet.png @1 @2 @3""",
)
def gallery(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB",
            help="Jobs to show (default all): ids, @last, @2, saved files; - reads ids from standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write the page to a directory instead of serving it.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE",
            help="Write a contact sheet of the jobs: .png, .jpg or .webp.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None,
    originals: Annotated[
        bool | None,
        typer.Option(
            "--originals/--no-originals",
            help="Also write the full-size files with --output (default).",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None,
    force: ForceOption = False,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the page.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, metavar="N", help=f"Only the newest N jobs (default {NEWEST})."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="N", help="Port to serve on (default: a free one)."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser (default).")] = True,
) -> None:
    """Show the pictures of all profiles in the browser.

    The page has filters, the history and the lineage of each picture, and the commands to copy. It is served on
    this machine alone until Ctrl-C, and the address admits one browser, once. Its buttons start actions, each
    after a question that shows the price; defaults.max_cost_per_day applies, and new pictures are saved as with
    mj action --download. With --profile it shows that profile alone.

    --output writes the page without buttons, and without paths, links, costs and profiles, so that it can be
    published. Thumbnails are made once and kept in the data directory. Needs Pillow.
    """
    from mjcli.media.pixels import check_pillow

    context: Context = ctx.obj
    _check_options(output, sheet, jobs, originals, limit, port)
    check_pillow("mj gallery")
    if sheet is not None:
        _write_sheet(context, sheet, jobs or [], force=force)
        return
    which = _which(context, jobs or [], limit)
    if output is not None:
        _export(context, which, output, title or "Gallery", originals=originals is not False, force=force)
    else:
        _serve(context, which, title or "Gallery", port or 0, opens=open_)


def _check_options(
    output: Path | None,
    sheet: Path | None,
    jobs: Sequence[str] | None,
    originals: bool | None,
    limit: int | None,
    port: int | None,
) -> None:
    """Refuse options that contradict one another. Raises `UsageError`."""
    if sheet is not None and output is not None:
        raise UsageError("--sheet cannot be combined with --output.")
    if sheet is not None and not jobs:
        raise UsageError("--sheet needs the jobs to show.", hint=f'mj gallery --sheet "{sheet}" @1 @2 @3')
    if originals is not None and output is None:
        raise UsageError("--originals and --no-originals need --output.")
    if port is not None and (sheet is not None or output is not None):
        raise UsageError("--port is for the page that is served, not for --output or --sheet.")
    if limit is not None and jobs:
        raise UsageError("--limit cannot be combined with the jobs to show.")


# -- which jobs ----------------------------------------------------------------------------------------


def _which(context: Context, names: Sequence[str], limit: int | None) -> Which:
    """The jobs to show: those that are named, else the newest of the active profile or of all."""
    from mjcli.cli.inputs import expand
    from mjcli.cli.lookup import Lookup
    from mjcli.gallery.collection import Which
    from mjcli.settings.schema import SANDBOX

    settings = context.settings
    own = str(settings.profile.value)
    if names:
        lookup = Lookup.of(context)
        found = [lookup.job(each) for each in expand(context.streams.stdin, names, "job")]
        return Which([own], NEWEST, [job.number for job in found])
    ledger = context.existing_ledger
    profiles = {own}
    if not settings.sandbox.value and settings.profile.source == "default" and ledger is not None:
        profiles |= {name for name in ledger.profiles() if name != SANDBOX}
    return Which(sorted(profiles), limit or NEWEST)


def _older(ledger: Ledger, which: Which, shown: int) -> int:
    """How many jobs are not shown because they are too old."""
    if which.numbers is not None:
        return 0
    return max(sum(map(ledger.count, which.profiles)) - shown, 0)


@contextmanager
def _thumbnails(context: Context) -> Iterator[Thumbnails]:
    """The cache of thumbnails, and the processes that make them."""
    from mjcli.gallery.thumbnails import Thumbnails
    from mjcli.media.pixels import Decoders

    directory: Path = context.settings.data_dir.value
    decoders = Decoders(context.output.child_environ)
    try:
        yield Thumbnails(directory / "thumbnails", decoders)
    finally:
        decoders.close()


# -- the page as files ---------------------------------------------------------------------------------


def _export(
    context: Context, which: Which, directory: Path, title: str, *, originals: bool, force: bool
) -> None:
    """Write the page to a directory and say where it is."""
    from mjcli.cli.gallery_facts import JobFacts
    from mjcli.cli.hints import command, no_jobs_yet
    from mjcli.cli.output.text import count_of_jobs
    from mjcli.gallery.collection import read_jobs
    from mjcli.gallery.export import check_directory, export

    directory = directory.absolute()
    check_directory(directory, force=force)
    ledger = context.existing_ledger
    if ledger is None:
        raise UsageError(
            no_jobs_yet(str(context.settings.profile.value), None),
            hint=command("imagine", "a cat", "--download"),
        )
    jobs = read_jobs(ledger, which)
    if which.numbers is not None:
        _check_pictures(jobs)
    more = _older(ledger, which, len(jobs))
    facts = JobFacts(context.output, context.settings, public=True).of
    with _thumbnails(context) as thumbnails:
        done = export(
            directory,
            jobs,
            ledger.tags.by_job(),
            facts,
            thumbnails,
            title=title,
            more=more,
            originals=originals,
        )
    if done.without:
        context.output.warning(f"{done.without} of the pictures could not be decoded and have no thumbnail.")
    if done.unsaved:
        have = f"{count_of_jobs(len(done.unsaved))} {'has' if len(done.unsaved) == 1 else 'have'}"
        line = context.output.next_command(_download(done.unsaved))
        context.output.warning(f"{have} no saved file and no picture in the page.", following=line)
    if more:
        context.output.notice(f"{more} older jobs are not shown; --limit shows more.")
    document = {"file": str(done.page), "pictures": done.pictures}
    people = [("file", str(done.page)), ("pictures", str(done.pictures))]
    context.output.answer(document, people, [str(done.page)])


def _check_pictures(jobs: Sequence[Job]) -> None:
    """Refuse named jobs of which none has a picture, before they replace a page. Raises `DownloadError`."""
    from mjcli.gallery.entries import can_be_saved, media_of

    if not any(map(media_of, jobs)):
        unsaved = [job for job in jobs if can_be_saved(job)]
        raise DownloadError(_NO_PICTURE, hint=_download(unsaved) if unsaved else None)


def _download(jobs: Sequence[Job]) -> str:
    """The command that saves the files of jobs."""
    from mjcli.cli.hints import Outside, command

    names = [Outside(job.reference) for job in jobs] if len(jobs) <= LISTED else ["REF"]
    return command("download", *names)


# -- contact sheets ------------------------------------------------------------------------------------


def _write_sheet(context: Context, path: Path, names: Sequence[str], *, force: bool) -> None:
    """Write a contact sheet and say where it is."""
    from mjcli.cli.inputs import expand
    from mjcli.gallery.sheet import MOST, check_name, sheet
    from mjcli.media.pixels import Decoder
    from mjcli.media.place import place

    kind = check_name(path)
    if os.path.lexists(path) and not force:
        raise UsageError(f'"{path}" already exists.', hint="--force replaces it")
    chosen = expand(context.streams.stdin, names, "job")
    if len(chosen) > MOST:
        raise UsageError(f"A contact sheet has at most {MOST} pictures, not {len(chosen)}.")
    pictures = [_labelled(context, each) for each in chosen]
    if not any(each.picture for each in pictures):
        raise DownloadError(_NO_PICTURE, hint="mj download saves them")
    with Decoder(context.output.child_environ) as decoder:
        data, problems = sheet(pictures, kind, decoder)
    for problem in problems:
        context.output.warning(problem)
    missing = sum(1 for each in pictures if each.picture is None)
    if missing:
        context.output.warning(f"{missing} of {len(pictures)} jobs have no picture on this machine.")
    saved = place(data, path.absolute(), force=force)
    file = str(saved.path)
    context.output.answer({"file": file, "pictures": len(pictures) - missing}, [("file", file)], [file])


def _labelled(context: Context, name: str) -> Labelled:
    """A picture and its label: the file itself if one is named, else the first of its job."""
    from mjcli.cli.gallery_facts import action_label
    from mjcli.cli.lookup import Lookup
    from mjcli.gallery.entries import media_at, media_of
    from mjcli.gallery.sheet import Labelled

    lookup = Lookup.of(context)
    job: Job = lookup.known_job(name, need="files") or lookup.job(name)
    named = None if name.startswith("@") or lookup.saved_file(name) is None else Path(name).absolute()
    found = media_at(named) if named is not None else None
    found = found or next((each for each in media_of(job) if not each.is_video), None)
    size = (found.width, found.height) if found is not None else (3, 2)
    about = f"{action_label(job.action)}  ·  {job.image_id or job.reference}"
    return Labelled(found.path if found is not None else None, size, job.words or job.action, about)


# -- the page as a server ------------------------------------------------------------------------------


def _serve(context: Context, which: Which, title: str, port: int, *, opens: bool) -> None:
    """Serve the page until Ctrl-C."""
    from mjcli.cli.gallery_actions import Actions
    from mjcli.cli.gallery_facts import JobFacts
    from mjcli.gallery.collection import Shown
    from mjcli.gallery.page import Page
    from mjcli.gallery.server import Server, Site

    ledger = _ledger(context)
    facts = JobFacts(context.output, context.settings, public=False)
    shown = Shown(ledger, which, facts.of)
    actions = Actions(context, ledger, shown)

    def page() -> Page:
        shown.refresh()
        version, entries = shown.all()
        return Page(title, entries, version, live=True, more=_older(ledger, which, len(entries)))

    shown.refresh()
    with _thumbnails(context) as thumbnails:
        try:
            server = Server(Site(shown, thumbnails, actions, page), port=port, warn=context.output.alarm)
        except OSError as error:
            raise ConfigError(f"The gallery cannot be served on port {port}: {reason_of(error)}.") from error
        server.start()
        with _redirect_file(context, server) as redirect:
            try:
                _announce(context, server, redirect if opens else None)
                _wait(context, server, actions)
            finally:
                server.stop()
                actions.stop()


def _wait(context: Context, server: Server, actions: Actions) -> None:
    """Wait for Ctrl-C, which is the normal way to end it. Raises `Interrupted` for other signals."""
    import threading

    never = threading.Event()
    try:
        while not never.wait(WAKE_SECONDS):
            pass
    except Interrupted as stop:
        _stop(context, server, actions)
        stop.sentence = "The gallery was stopped."
        if stop.signal_number != 2:
            raise
        context.output.notice(stop.sentence)


def _ledger(context: Context) -> Ledger:
    """The ledger, also one that can only be read."""
    found = context.existing_ledger
    return found if found is not None else context.ledger


def _announce(context: Context, server: Server, redirect: Path | None) -> None:
    """Show the address and open the browser."""
    from mjcli.cli.opener import show

    output, address = context.output, server.access.entrance
    output.answer({"address": address}, [("address", address)], [address])
    output.notice("The gallery runs until Ctrl-C. The address admits one browser, once.")
    if redirect is None or output.json or output.mode.quiet:
        return
    if show(output, str(redirect), "", "", link_ends=False) is not None:
        output.notice("No browser was found; open the address yourself.")


@contextmanager
def _redirect_file(context: Context, server: Server) -> Iterator[Path]:
    """A private file that leads to the address, because others can read the arguments of the browser."""
    directory: Path = context.settings.data_dir.value
    path = directory / f"gallery-{os.getpid()}.html"
    page = (
        '<!doctype html><meta charset="utf-8"><title>mj gallery</title>'
        f'<meta http-equiv="refresh" content="0; url={server.access.entrance}">'
    )
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(page)
    except OSError as error:
        server.stop()
        raise ConfigError(f'"{path}" cannot be written: {reason_of(error)}.') from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _stop(context: Context, server: Server, actions: Actions) -> None:
    """Stop serving, and leave the jobs in flight to `mj resume`."""
    from mjcli.cli.hints import command

    server.stop()
    stopped = actions.stop()
    if stopped:
        line = context.output.next_command(command("resume"))
        jobs = "1 job continues" if stopped == 1 else f"{stopped} jobs continue"
        context.output.notice(f"{jobs} at the service. To save the pictures: {line}")
