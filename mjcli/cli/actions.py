"""What `mj action` and the commands named after its verbs share: which action, for which images, with which words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mjcli.api.actions import (
    QUADRANTS,
    VERBS,
    Found,
    find,
    modern,
    nearest,
    notes,
    read,
    short,
    spelling,
    takes_words,
)
from mjcli.api.endpoints import endpoint
from mjcli.cli.hints import Outside, action_on, command
from mjcli.cli.options import FileOptions, ImageOptions, MaskOptions, SubmitOptions, WaitOptions
from mjcli.cli.parser import PromptCommand, add_parameters
from mjcli.errors import PromptRefused, UsageError
from mjcli.prompt.arguments import take_fields

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.origins import Image
    from mjcli.jobs.job import Job
    from mjcli.jobs.order import Order

REGION_ACTION = "variation_region"
SEARCHED = 100  # newest jobs among which an image is found that offers an action

NEWEST = "@last"


class Typed(NamedTuple):
    """What the arguments of an action say; `images` are as typed, and `defaulted` if none were."""

    actions: tuple[str, ...]
    images: list[str]
    words: str = ""
    defaulted: bool = False


class ActionOptions(NamedTuple):
    """The options of an action beside those of every job."""

    prompt: str | None = None
    parameters: Sequence[str] = ()
    area: MaskOptions = MaskOptions()
    yes: bool = False
    split: bool = False


class ActionCommand(PromptCommand):
    """A command that applies actions; of the prompt parameters, its help shows those that are fields, too."""

    only_fields = True
    completion_notes: ClassVar[dict[str, str]] = notes()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        fields, rest = take_fields(args)
        surplus = super().parse_args(ctx, rest)
        add_parameters(ctx, fields)
        return surplus


class JobGroups(NamedTuple):
    """The options of every job."""

    image: ImageOptions
    submit: SubmitOptions
    wait: WaitOptions
    files: FileOptions


def act(
    context: Context, verb: str, arguments: Sequence[str], options: ActionOptions, groups: JobGroups
) -> None:
    """Apply the actions that the arguments of `mj VERB` name (`mj action` if empty) to images.

    Raises `UsageError` before anything is sent, and as `KeyedJob.submit_all` does.
    """
    from mjcli.cli.confirm import check_count, confirm_jobs
    from mjcli.cli.inputs import expand
    from mjcli.cli.keys import KeyedJob
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.submit import JobOptions, prepare

    files, force = groups.files, groups.files.force
    lookup = Lookup.of(context)
    typed = read_arguments(lookup, verb, arguments, force=force)
    if typed.words:
        if options.prompt is not None:
            raise UsageError(f'The new words are given twice: "{typed.words}" and --prompt.')
        options = options._replace(prompt=typed.words)
    job_options = JobOptions(groups.submit, groups.wait, groups.image)
    names = expand(context.streams.stdin, typed.images, "image")
    keyed = KeyedJob(
        context,
        lookup,
        job_options,
        "action",
        action=typed.actions[0] if len(typed.actions) == 1 else list(typed.actions),
        image=names,
        prompt=options.prompt,
        parameters=list(options.parameters) or None,
        mask=options.area.mask,
        region=options.area.region or None,
    )
    if keyed.join(files, split=options.split) is not None:
        return
    target = prepare(context.output, context.settings, job_options, files, split=options.split)
    fields = _fields(context, lookup, typed, options, force=force)
    images = [lookup.image(each, metadata=True) for each in names]
    if typed.defaulted:
        context.output.notice(f"Using image {images[0].id} ({NEWEST}).")
    if not force:
        _refuse_same(typed.images, names, images)
        for image in images:
            if image.job is not None:
                lookup.check_host(image.job)
            for action in typed.actions:
                _check_offered(context, action, image, options)
    if "prompt" in fields and not force and typed.actions != (REGION_ACTION,):
        context.output.notice(
            f"The new words are sent as the prompt of {typed.actions[0]}; the service may refuse them."
        )
    orders = [_order(action, each, options, fields) for each in images for action in typed.actions]
    check_count(len(orders), yes=options.yes)
    if not groups.submit.dry_run and groups.submit.key is None:
        listed = [f"{order.body['action']} {order.body['image_id']}" for order in orders]
        confirm_jobs(
            context.output,
            listed,
            lambda: context.costs.expected(
                [order.body for order in orders], groups.submit, groups.image.mode
            ),
            yes=options.yes,
        )
    keyed.submit_all(orders, target, files, split=options.split)


# -- arguments -------------------------------------------------------------------------------------


def read_arguments(lookup: Lookup, verb: str, arguments: Sequence[str], *, force: bool = False) -> Typed:
    """Which action, images and words the arguments are. Raises `UsageError`."""
    found = find(arguments, verb)
    if found is None:
        if verb or not arguments or not force:
            raise _no_action(verb, arguments)
        actions: tuple[str, ...] = (arguments[0],)
        rest = list(arguments[1:])
    else:
        actions = found.actions
        _check_before(lookup, verb, arguments, found)
        rest = [*arguments[: found.start], *arguments[found.start + found.length :]]
    images, words = _split(lookup, rest) if takes_words(actions[0]) else (rest, [])
    _check_images(lookup, verb, actions, images, words)
    _check_words(lookup, verb, actions, images, words)
    return Typed(actions, images or [NEWEST], " ".join(words), not images)


def _check_before(lookup: Lookup, verb: str, arguments: Sequence[str], found: Found) -> None:
    """Refuse words before the action, as in `vary a cat with 2 heads`: it may be one of them. Raises `UsageError`."""
    before, end = arguments[: found.start], found.start + found.length
    if not before or not takes_words(found.actions[0]):
        return
    first = _may_be_id(lookup, before[0], alone=len(before) == 1)
    if first and all(_is_reference(lookup, each) for each in before[1:]):
        return
    action = arguments[found.start : end]
    raise UsageError(
        f'"{" ".join(action)}" may be the action or one of the new words; the action comes first.',
        hint=f'{command(verb or "action", *action, NEWEST)} "WORDS"',
    )


def _split(lookup: Lookup, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The images and the new words; the images come before or after the words."""
    first = bool(arguments) and _may_be_id(lookup, arguments[0], alone=len(arguments) == 1)
    images = [*arguments[:first], *takewhile(lambda each: _is_reference(lookup, each), arguments[first:])]
    words = list(arguments[len(images) :])
    while words and not images and _is_reference(lookup, words[-1]):
        images = [words.pop(), *images]
        while words and _is_reference(lookup, words[-1]):
            images.insert(0, words.pop())
    return images, words


def _may_be_id(lookup: Lookup, argument: str, *, alone: bool) -> bool:
    """Whether the first argument is an id: one of another machine, too, which the ledger does not know."""
    if any(map(str.isspace, argument)):
        return _is_reference(lookup, argument)
    marked = any(map(str.isdecimal, argument)) or (alone and ("-" in argument or "_" in argument))
    return marked or _is_reference(lookup, argument) or lookup.has_prefix(argument)


def _is_reference(lookup: Lookup, argument: str) -> bool:
    """Whether an argument can only be an image: `@last`, `-`, a link, an image file, or an id."""
    from mjcli.cli.inputs import UNLIKE_A_WORD, is_whole_id, names_image_file
    from mjcli.prompt.parse import is_link

    if argument == "-" or argument.startswith("@") or is_link(argument):
        return True
    if names_image_file(argument) or is_whole_id(argument):
        return True
    id_like = len(argument) >= UNLIKE_A_WORD and any(map(str.isdecimal, argument))
    return id_like and lookup.has_prefix(argument)


def _check_images(
    lookup: Lookup, verb: str, actions: Sequence[str], images: Sequence[str], words: Sequence[str]
) -> None:
    """Refuse a second action, a number or a word where an image is expected. Raises `UsageError`."""
    for image in images[1:]:
        if image.isalpha() and not lookup.has_prefix(image):
            raise UsageError(f'"{image}" is not an image id, and {actions[0]} takes no new words.')
    start = short(actions[0])
    for place, image in enumerate(images):
        before, after = images[:place], [*images[place + 1 :], *words]
        if image.isdecimal() and len(image) == 1:
            both = f"{actions[0][-1]},{image}"
            several = start[0] in ("upscale", "vary") and start[-1] in QUADRANTS and image in QUADRANTS
            raise UsageError(
                f'"{image}" is not an image id. Did you mean @{image}?',
                hint="\n".join(
                    [
                        *(
                            [command(start[0], both, *before, *after)]
                            if several and image not in start
                            else []
                        ),
                        command(*start, *before, f"@{image}", *after),
                    ]
                ),
            )
        _refuse_second_action(verb, image, [*before, *after])
        if image == "last":
            raise UsageError(
                '"last" is not an image id. Did you mean @last?',
                hint=command(*start, *before, NEWEST, *after),
            )


def _refuse_second_action(verb: str, argument: str, others: Sequence[str]) -> None:
    """Refuse an action where an image or new words are expected; `others` stand beside it. Raises `UsageError`."""
    for action in read(argument) or read(f"{verb} {argument}"):
        raise UsageError(
            f'"{argument}" is an action, too; pass one action at a time.',
            hint=command(*short(action), *(others or [NEWEST])),
        )


def _check_words(
    lookup: Lookup, verb: str, actions: Sequence[str], images: Sequence[str], words: Sequence[str]
) -> None:
    """Refuse words that may be meant as an image, or contain a reference. Raises `UsageError`."""
    start = short(actions[0]) if verb else ("action", actions[0])
    for word in words:
        if (word.startswith("@") and len(word) > 1) or word == "-":
            raise UsageError(
                f'"{word}" is among the new words; images come before or after them.',
                hint=f'{command(*start, word)} "WORDS"',
            )
    if len(words) == 1:
        _refuse_second_action(verb, words[0], images)
    if words and words[0].lower() == "last" and not images:
        raise UsageError(f'"{words[0]}" is not an image id.', hint=command(*start, NEWEST, *words[1:]))
    if len(words) > 1 and images and lookup.has_prefix(words[0]) and any(map(str.isdecimal, words[0])):
        raise _ambiguous(words[0], words)
    if len(words) != 1 or any(map(str.isspace, words[0])):
        return
    if not images:
        raise UsageError(
            f'"{words[0]}" is not an image id; new words come after the image.',
            hint=command(*start, NEWEST, words[0]),
        )
    if any(map(str.isdecimal, words[0])) or words[0].lower() == "last":
        raise _ambiguous(words[0], words)


def _ambiguous(word: str, words: Sequence[str]) -> UsageError:
    """The error for a word that may be an id."""
    from mjcli.cli import shell

    return UsageError(
        f'"{word}" may be an image or a new word.',
        hint=f"--prompt {shell.quoted(' '.join(words))} makes it {'the prompt' if len(words) == 1 else 'a word'}",
    )


def _no_action(verb: str, arguments: Sequence[str]) -> UsageError:
    """The error for arguments without a known action."""
    others = [each for each in arguments if not each.startswith("@") and each != "-"]
    word = next((each for each in others if not each.isdecimal() or len(each) < 3), None)
    if not verb:
        return _unknown(word or (arguments[0] if arguments else None))
    choices = _choices(verb)
    for each in [] if word is None else read(word):
        return UsageError(
            f'"{word}" is not one of mj {verb}; it takes {choices}.', hint=command(*short(each), NEWEST)
        )
    if word is not None:
        return UsageError(f'"{word}" is not valid: mj {verb} takes {choices}.', hint=command(verb, "--help"))
    first = "2" if verb == "zoom" else next(iter(VERBS[verb]))
    return UsageError(f"Missing action: mj {verb} takes {choices}.", hint=command(verb, first, NEWEST))


def _choices(verb: str) -> str:
    words = list(VERBS[verb])
    if words[: len(QUADRANTS)] == list(QUADRANTS):
        words[: len(QUADRANTS)] = ["1-4", "all"]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _unknown(action: str | None) -> UsageError:
    if action is None:
        return UsageError("Missing argument ACTION.", hint=command("action", "upscale1", NEWEST))
    near = nearest(action)
    names = ", ".join(near or ["upscale1-4", "variation1-4", "reroll", "zoom_out_2x", "pan_left"])
    meant = f"Did you mean {names}?" if near else f"Known actions include {names}."
    return UsageError(
        f'Unknown action "{action}". {meant}',
        hint="results list the actions that an image offers; --force sends any action",
    )


def _refuse_same(typed: Sequence[str], names: Sequence[str], images: Sequence[Image]) -> None:
    """Refuse an image that is named twice, as each is a job of its own; a list may repeat one. Raises `UsageError`."""
    twice = next((each for each in typed if each != "-" and typed.count(each) > 1), None)
    if twice is not None:
        raise UsageError(f'"{twice}" is given twice. Nothing was sent.', hint="--force makes both jobs")
    first: dict[str, str] = {}
    for name, image in zip(names, images, strict=True):
        if first.setdefault(image.id, name) != name:
            raise UsageError(
                f'"{first[image.id]}" and "{name}" are the same image. Nothing was sent.',
                hint=command("history", note="lists your jobs"),
            )


# -- requests --------------------------------------------------------------------------------------


def _fields(
    context: Context, lookup: Lookup, typed: Typed, options: ActionOptions, *, force: bool
) -> dict[str, Any]:
    """The body fields from the new words and the prompt parameters. Raises `UsageError`."""
    from mjcli.cli.request import RequestBuilder
    from mjcli.prompt.compose import body_fields

    prompt, parameters = options.prompt, " ".join(options.parameters)
    if not force:
        for action in typed.actions:
            _check_region(action, options.area)
            _check_prompt(action, prompt)
        if prompt is None:
            _check_parameters(parameters)
    if prompt is None and not parameters:
        return {}
    text = " ".join(each for each in (prompt, parameters) if each)
    if not force:
        try:
            builder = RequestBuilder.of(context, lookup, command="action")
            text = builder.check_words(text, only_parameters=prompt is None)
        except PromptRefused as error:
            error.hint = error.hint and "--force sends it anyway"
            raise
    if prompt is None:
        return body_fields(text)
    return {"prompt": text, **body_fields(text)}


def _check_prompt(action: str, prompt: str | None) -> None:
    if prompt is not None and not takes_words(action):
        raise UsageError(f"New words work with variations, zooms and pans, not with {action}.")


def _check_parameters(text: str) -> None:
    """Refuse prompt parameters that are no fields of the request, since there is no prompt for them."""
    from mjcli.prompt.parse import parse

    for part in parse(text).parts:
        if part.parameter is None or part.parameter.body is None:
            name = part.text if part.parameter is None else part.name.text
            raise UsageError(
                f'"{name}" needs new words; an action without them takes only --version, --quality and --hd.'
            )


def _check_region(action: str, area: MaskOptions) -> None:
    """Refuse options of variation_region for another action, and that action without them."""
    if action != REGION_ACTION:
        for name, value in {"--mask": area.mask, "--region": area.region}.items():
            if value:
                raise UsageError(f"{name} works only with {REGION_ACTION}, not with {action}.")
    elif area.mask is None and not area.region:
        raise UsageError(
            f"{REGION_ACTION} needs --mask FILE (greyscale, white where to redraw) or --region X,Y,W,H."
        )


def _order(action: str, image: Image, options: ActionOptions, fields: dict[str, Any]) -> Order:
    from mjcli.jobs.order import Order

    body = {
        "action": spelling(action, offered_actions(image) or []),
        "image_id": image.id,
        **_mask(options.area, image),
        **fields,
    }
    subject = options.prompt or (image.job.words if image.job is not None else "")
    return Order("action", "imagine", body, subject, image.id)


def _mask(area: MaskOptions, image: Image) -> dict[str, str]:
    """The body field that says what is redrawn. Raises `UsageError`."""
    if area.mask is None and not area.region:
        return {}
    from mjcli.media.mask import mask_of

    mask = mask_of(area.mask, area.region or (), image.size)
    return {} if mask is None else {"mask": mask}


# -- what images offer -----------------------------------------------------------------------------


def offered_actions(image: Image) -> list[str] | None:
    """The actions that an image offers, None where the ledger does not know."""
    return _offered_by(image.job) if image.job is not None else None


def _offered_by(job: Job) -> list[str] | None:
    """The actions that a job's image offers, None where its result does not say. Edits offer none."""
    from mjcli.api.models import Result

    result = job.result or {}
    is_listed = isinstance(result.get("actions"), list) or job.path == endpoint("edits").path
    return Result(result).actions if is_listed else None


def _check_offered(context: Context, action: str, image: Image, options: ActionOptions) -> None:
    """Refuse an action that the image, as far as it is known, does not offer. Raises `UsageError`."""
    offered = offered_actions(image)
    if offered is None or modern(action) in map(modern, offered):
        return
    those = f"it offers {', '.join(offered)}" if offered else "it offers no actions"
    raise UsageError(
        f'Image {image.id} does not offer "{action}"; {those}. Nothing was sent.',
        hint="\n".join(
            [
                *_newest_offering(context, action, options),
                *_instead(image, offered),
                "--force sends it anyway",
            ]
        ),
    )


def _instead(image: Image, offered: list[str]) -> list[str]:
    """What to type for the same image."""
    if offered:
        return [action_on(offered[0], image.id)]
    return [command("edit", Outside(image.id), "a cat on a table", note="changes an image without actions")]


def _newest_offering(context: Context, action: str, options: ActionOptions) -> list[str]:
    """The command for the newest image that offers the action, with the same words, if there is one."""
    from itertools import islice

    from mjcli.api.models import Result

    ledger = context.existing_ledger
    jobs = ledger.newest_first(context.settings.profile.value) if ledger is not None else iter(())
    for number, job in enumerate(islice(jobs, SEARCHED), start=1):
        if job.image_id and modern(action) in map(modern, Result(job.result or {}).actions):
            more = [options.prompt] if options.prompt else []
            for each in options.area.region or ():
                more += ["--region", each]
            more += ["--mask", str(options.area.mask)] if options.area.mask else []
            note = "uses the newest image that offers it"
            return [command(*short(action), f"@{number}", *more, note=note)]
    return []
