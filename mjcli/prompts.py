"""From what was typed to prompts that are good to send: composed, permuted, checked, their images looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mjcli.errors import PromptRefused, UsageError
from mjcli.prompt.check import ERROR, WARNING, Finding, check
from mjcli.prompt.compose import TYPED, Composed, Suffix, body_fields, compose, words_of
from mjcli.prompt.parse import is_link, parse

if TYPE_CHECKING:
    from mjcli.context import Runtime
    from mjcli.links import Look
    from mjcli.options import JobOptions, PromptOptions

MOST_AT_ONCE = 40  # jobs that one prompt may make without being agreed to
MOST_EVER = 10_000
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_REFERENCES = ("sref", "cref", "oref")  # parameters that take pictures
_STAND_IN = "https://upload.invalid/"


def names_file(text: str) -> bool:
    """Whether a word names a picture on this machine, there or not."""
    return not is_link(text) and not text.startswith("@") and Path(text).suffix.lower() in PICTURES


def linked(
    runtime: Runtime, pictured: Mapping[str, str | None], options: PromptOptions, job: JobOptions
) -> dict[str, Any]:
    """Fields of a body that hold links of pictures, for a request without a prompt; as `orders` makes them."""
    pictures = Images(runtime, ask=not job.dry_run)
    found = {name: pictures.link(each) for name, each in pictured.items() if each is not None}
    if job.dry_run:
        pictures.tell()
        return found
    return _uploaded(pictures, found, options, job)


def is_file(text: str) -> bool:
    """Whether a word is a file on this machine, or names a picture that is not there."""
    return not is_link(text) and (names_file(text) or Path(text).is_file())


def orders(
    runtime: Runtime,
    images: Sequence[str],
    text: str,
    given: Mapping[str, Sequence[str]],
    options: PromptOptions,
    job: JobOptions,
    *,
    endpoint: str = "imagine",
    pictured: Mapping[str, str | None] | None = None,
    **fields: object,
) -> list[tuple[str, dict[str, Any]]]:
    """The jobs that a prompt makes, one or one for each permutation: what was typed of it, and the body.

    `images`, which stand in the prompt, and `pictured`, which are fields of the body, are named as people do
    (link, reference, id, file); fields that are None are left out. The images are looked at and files
    uploaded, unless nothing shall be sent. Raises `UsageError` (`PromptRefused`), and as
    `mjcli.uploads.link_of_file` does.
    """
    from mjcli.delivery import asked_for

    pictures = Images(runtime, ask=not job.dry_run)
    links = [pictures.link(each) for each in images]
    beside: dict[str, Any] = {
        name: pictures.link(each) for name, each in (pictured or {}).items() if each is not None
    }
    prompts = composed(runtime, links, text, pictures.linked(given), options, endpoint)
    texts = [each.text for each in prompts]
    if job.dry_run:
        pictures.tell()
    else:
        agree(runtime, prompts, options)
        if not options.no_check:
            look_at_images(runtime, prompts, pictures.own, strict=options.strict)
        beside = _uploaded(pictures, beside, options, job)
        texts = pictures.upload(texts, keep=not job.no_ledger)
    if endpoint == "imagine":  # no other one has such fields
        beside |= body_fields(given, checked=not options.no_check)
    beside |= asked_for(fields)
    return [
        (prompt.typed, {"action": "generate", "prompt": text, **beside})
        for prompt, text in zip(prompts, texts, strict=True)
    ]


def words_or_stdin(
    runtime: Runtime,
    words: Sequence[str],
    images: Sequence[str] = (),
    *,
    command: str = "mj imagine",
    wanted: str = "prompt",
) -> str:
    """The words that are `wanted`: the arguments, or standard input when there are none or they are `-`.

    `images` are those that make a prompt without words; they, too, may come from standard input. `command` is
    what stands before the words when it is typed. Raises `UsageError` when there are none.
    """
    if words and list(words) != ["-"]:
        return words_of(words)
    from mjcli.references import read_stdin

    if "-" in images:
        if words:
            raise UsageError("Standard input is read once: either the words or the images come from it.")
        return ""
    if not words and runtime.stdin.isatty():
        if images:
            return ""
        raise UsageError(
            f"There is no {wanted}.", hint=f'{command} "a cat on a table"\n{command} - < prompt.txt'
        )
    text = read_stdin(runtime, f"the {wanted}").strip()
    if not text and not (images and not words):
        raise UsageError(
            f"There is no {wanted}: standard input is empty.", hint=f'{command} "a cat on a table"'
        )
    return text


def images_named(runtime: Runtime, images: list[str]) -> list[str]:
    """The images of --image, with `-` replaced by the lines of standard input."""
    if not images:
        return []
    from mjcli.references import expand

    return expand(runtime, images, "image")


class Images:
    """The pictures of a prompt by their links; a file has a stand-in for one until it is uploaded.

    With `ask` the service is asked for fresh links where old ones have expired.
    """

    def __init__(self, runtime: Runtime, *, ask: bool) -> None:
        self._runtime, self._ask = runtime, ask
        self._files: dict[str, Path] = {}
        self._uploaded: dict[str, str] = {}
        #: Links that the service itself has told, which need no look.
        self.own: set[str] = set()

    def link(self, name: str) -> str:
        """The link of a picture given as a link, a reference, an id, or a file. Raises `UsageError`."""
        from mjcli.references import link_of

        if is_file(name):
            from mjcli.uploads import read_picture

            read_picture(Path(name))  # what is no picture is found out before anything is sent
            stand_in = f"{_STAND_IN}{len(self._files) + 1}/{quote(Path(name).name)}"
            self._files[stand_in] = Path(name)
            return stand_in
        link = link_of(self._runtime, name, ask=self._ask)
        if not is_link(name):
            self.own.add(link)
        return link

    def linked(self, given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The parameters with links in place of files and references."""
        return {
            name: [
                self.link(each)
                if name in _REFERENCES and (each.startswith("@") or names_file(each))
                else each
                for each in values
            ]
            for name, values in given.items()
        }

    def tell(self) -> None:
        """Say which files would be uploaded; for what sends nothing."""
        for stand_in, path in self._files.items():
            self._runtime.output.notice(f"{path} would be uploaded first; {stand_in} stands for its link.")

    def look_at(self, links: Collection[str], *, strict: bool) -> None:
        """Refuse links that lead to no picture, for those that stand in no prompt. Raises `UsageError`."""
        unknown = (each for each in links if each not in self.own and not each.startswith(_STAND_IN))
        for url, look in _bad_links(self._runtime, unknown).items():
            if look.verdict == "refused" or strict:
                way = (
                    "--no-check sends it as it is"
                    if look.verdict == "refused"
                    else "without --strict it is sent"
                )
                raise UsageError(
                    f"The image {url} cannot be used: {look.reason} Nothing was sent, so nothing is paid.",
                    hint=way,
                )
            self._runtime.output.warning(f"The image {url} is doubtful: {look.reason}")

    def upload(self, texts: Sequence[str], *, keep: bool) -> list[str]:
        """Prompts or links with those of the uploaded files; without `keep` no record of them is made."""
        for stand_in, path in self._files.items():
            if stand_in not in self._uploaded:
                from mjcli.uploads import link_of_file

                self._uploaded[stand_in] = link_of_file(self._runtime, path, keep=keep)
            texts = [each.replace(stand_in, self._uploaded[stand_in]) for each in texts]
        return list(texts)


def _uploaded(
    pictures: Images, links: Mapping[str, str], options: PromptOptions, job: JobOptions
) -> dict[str, Any]:
    """Links that are fields of a body, once they were looked at and files uploaded."""
    if not options.no_check:
        pictures.look_at(links.values(), strict=options.strict)
    return dict(zip(links, pictures.upload(list(links.values()), keep=not job.no_ledger), strict=True))


def composed(
    runtime: Runtime,
    images: Sequence[str],
    text: str,
    given: Mapping[str, Sequence[str]],
    options: PromptOptions,
    endpoint: str = "imagine",
) -> list[Composed]:
    """The prompts of one command, one for each permutation, as they would be sent; nothing is.

    What is doubtful is told. Raises `PromptRefused` for what is wrong, `UsageError` for a wrong option.
    """
    # Nobody has their defaults for pictures in mind where a video is made.
    suffixes = [] if endpoint == "videos" else _suffixes(runtime, options)
    texts = _permuted(runtime, text, options)
    if not options.no_check:
        texts = _repaired(runtime, texts)
    made = [compose(images, each, given, suffixes, checked=not options.no_check) for each in texts]
    _say_all(runtime, (notice for each in made for notice in each.notices))
    if not options.no_check:
        _judge(runtime, made, [_findings(each, endpoint) for each in made], strict=options.strict)
    return made


def checked(runtime: Runtime, words: str, *, strict: bool = False) -> str:
    """Words that stand alone, put right and checked as a prompt. Raises `PromptRefused`."""
    made = [compose([], each, {}) for each in _repaired(runtime, [words])]
    _judge(runtime, made, [_findings(each) for each in made], strict=strict)
    return made[0].text


def agree(runtime: Runtime, prompts: Sequence[Composed], options: PromptOptions) -> None:
    """Have several jobs agreed to by whoever sits at the terminal. Raises `UsageError` when they are not."""
    if len(prompts) < 2 or options.yes or not runtime.can_ask:
        return
    for number, each in enumerate(prompts, start=1):
        runtime.output.notice(f"{number}. {each.text}")
    if not runtime.ask(f"These are {len(prompts)} jobs, and each one is paid. Make them?"):
        raise UsageError("Not agreed to, so nothing was sent and nothing is paid.")


def look_at_images(
    runtime: Runtime, prompts: Sequence[Composed], known: Collection[str], *, strict: bool
) -> None:
    """Refuse links that lead to no picture, those that are known to do left out. Raises `PromptRefused`."""
    places = [[link for link in _links(each.text) if link[0] not in known] for each in prompts]
    bad = _bad_links(runtime, (url for each in places for url, _, _ in each))
    findings = [
        [
            Finding(_SEVERITY[bad[url].verdict], "image", bad[url].reason, start, end)
            for url, start, end in each
            if url in bad
        ]
        for each in places
    ]
    _judge(runtime, prompts, findings, strict=strict)


_SEVERITY = {"refused": ERROR, "doubtful": WARNING}


def _bad_links(runtime: Runtime, urls: Iterable[str]) -> dict[str, Look]:
    """Those of the links that are not known to be good, by their address."""
    unique = list(dict.fromkeys(urls))
    if not unique:
        return {}
    from mjcli.links import look_at

    looks = look_at(
        unique,
        allow_private=runtime.on_this_machine,
        use_environment=not runtime.settings.sandbox.value,
    )
    return {look.url: look for look in looks if look.verdict in _SEVERITY}


def _links(prompt: str) -> Iterable[tuple[str, int, int]]:
    """The links of pictures in a prompt, and where they stand."""
    for part in parse(prompt).parts:
        named = part.parameter is not None and part.parameter.name in _REFERENCES
        for token in part.tokens if part.kind == "image" else part.values if named else ():
            if is_link(token.text) and not token.text.startswith(_STAND_IN):
                scheme, _, rest = token.text.partition("://")
                yield f"{scheme}://{rest.partition('::')[0]}", token.start, token.end


def _suffixes(runtime: Runtime, options: PromptOptions) -> list[Suffix]:
    """What the defaults and the presets put behind the prompt, in the order of their weight."""
    settings = runtime.settings
    found = [Suffix("defaults", settings.suffix.value)] if settings.suffix.value else []
    for name in options.preset or ():
        if name not in settings.presets:
            known = ", ".join(settings.presets) or "none"
            raise UsageError(
                f"There is no preset {name}; there are: {known}.",
                hint='mj config set presets.NAME.suffix "--ar 2:3"  # makes one',
            )
        found.append(Suffix(f"preset {name}", settings.presets[name].value))
    return found


def _permuted(runtime: Runtime, text: str, options: PromptOptions) -> list[str]:
    if "{" not in text and "}" not in text:
        return [text]
    from mjcli.prompt.permute import BracesError, count, has_braces, permutations

    if not options.permute:
        if not options.no_check and has_braces(text):
            runtime.output.notice("The braces are sent as they are; --permute makes a job of each choice.")
        return [text]
    try:
        number = count(text)
        if number > MOST_EVER or (number > MOST_AT_ONCE and not options.yes):
            raise UsageError(
                f"The braces make {number} jobs, each of which is paid; more than"
                f" {MOST_EVER if options.yes else MOST_AT_ONCE} are not made at once. Nothing was sent.",
                hint=None if number > MOST_EVER else "--yes makes them all the same",
            )
        return permutations(text)
    except BracesError as error:
        finding = Finding(ERROR, "braces", str(error), error.place, error.place + 1)
        raise PromptRefused(text, [finding]) from None


def _repaired(runtime: Runtime, texts: Sequence[str]) -> list[str]:
    if all(map(str.isascii, texts)):  # in ASCII there is nothing that could need it
        return list(texts)
    from mjcli.prompt.typography import repair

    repaired = [repair(each) for each in texts]
    _say_all(runtime, (notice for _, notices in repaired for notice in notices))
    return [text for text, _ in repaired]


def _say_all(runtime: Runtime, notices: Iterable[str]) -> None:
    for notice in dict.fromkeys(notices):
        runtime.output.notice(notice)


def _findings(prompt: Composed, endpoint: str = "imagine") -> list[Finding]:
    """What the checker finds, with the origin of what was not typed as the prompt."""
    found = []
    for each in check(prompt.text):
        if endpoint == "videos" and each.code == "unknown_parameter":
            each = each._replace(severity=WARNING)  # the table is one of pictures; videos have others, too
        origin = prompt.origin(each.start)
        typed = origin == TYPED or origin.startswith("option ")
        told = each.message if typed else f"{each.message} (It comes from: {origin}.)"
        found.append(each._replace(message=told))
    return found


def _judge(
    runtime: Runtime, prompts: Sequence[Composed], findings: Sequence[Sequence[Finding]], *, strict: bool
) -> None:
    """Warn of what is doubtful. Raises `PromptRefused` for the first prompt with something wrong."""
    said: set[str] = set()
    for prompt, found in zip(prompts, findings, strict=True):
        errors = [each for each in found if strict or each.severity == ERROR]
        if errors:
            doubtful = all(each.severity == WARNING for each in errors)
            way = "without --strict it is sent" if doubtful else "--no-check sends it as it is"
            raise PromptRefused(prompt.text, errors, hint=way if prompt.text else None)
        for each in found:
            if each.message not in said:
                said.add(each.message)
                runtime.output.warning(each.message, prompt=prompt.text, start=each.start, end=each.end)
