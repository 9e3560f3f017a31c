"""From words and options to requests that are ready to send: composed, permuted, checked, confirmed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mjcli.cli.confirm import MAX_UNCONFIRMED, confirm_jobs
from mjcli.cli.hints import before_sending, command
from mjcli.cli.images import ImageLinks, Uploader, bad_links, is_placeholder, problem_of, takes_images
from mjcli.cli.inputs import is_valid_link
from mjcli.cli.options import CheckOptions, PromptOptions
from mjcli.errors import PromptRefused, UsageError
from mjcli.prompt.check import ERROR, WARNING, Finding, check
from mjcli.prompt.compose import TYPED, Composed, Suffix, body_fields, compose, mode_in
from mjcli.prompt.parameters import BY_SPELLING
from mjcli.prompt.parse import is_link, parse

if TYPE_CHECKING:
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.options import SubmitOptions
    from mjcli.cli.output.sink import Output
    from mjcli.media.probe import LinkCheck
    from mjcli.settings.load import Settings

MAX_JOBS = 10_000

_COMMANDS = {"imagine": "imagine", "edits": "edit", "videos": "video"}  # by the endpoint

_SEVERITY = {"refused": ERROR, "doubtful": WARNING}  # of a checked link


class Words(NamedTuple):
    """What was typed for a prompt: the words, the image prompts before them, and the arguments that end it."""

    text: str
    images: Sequence[str] = ()
    parameters: Sequence[str] = ()

    @property
    def prompt(self) -> str:
        """The words and the parameters, as a quoted prompt has them."""
        return " ".join(filter(None, [self.text, *self.parameters]))


class Request(NamedTuple):
    """A request body, and the words that name its files."""

    subject: str
    body: dict[str, Any]


class RequestBuilder:
    """Builds and checks the request bodies of one command; nothing is sent but uploads and link checks."""

    def __init__(
        self,
        output: Output,
        settings: Settings,
        lookup: Lookup,
        uploader: Uploader,
        prompt: PromptOptions = PromptOptions(),  # noqa: B008 - an immutable tuple
        check: CheckOptions = CheckOptions(),  # noqa: B008
        mode: str | None = None,
        command: str | None = None,
        expected: Callable[[Sequence[Mapping[str, Any]], SubmitOptions, str | None], str] | None = None,
    ) -> None:
        self._output, self._settings, self._lookup, self._uploader = output, settings, lookup, uploader
        self._prompt, self._check, self._mode, self._command = prompt, check, mode, command
        self._expected = expected  # what requests cost, for the question before several

    @classmethod
    def of(
        cls,
        context: Context,
        lookup: Lookup,
        prompt: PromptOptions = PromptOptions(),  # noqa: B008
        check: CheckOptions = CheckOptions(),  # noqa: B008
        mode: str | None = None,
        command: str | None = None,
    ) -> RequestBuilder:
        """The builder of this run.

        `mode` is the mode that was given as an option; `command` is the one whose way of taking images is
        suggested.
        """
        uploader = Uploader.of(context)
        return cls(
            context.output,
            context.settings,
            lookup,
            uploader,
            prompt,
            check,
            mode,
            command,
            lambda bodies, submit, mode: context.costs.expected(bodies, submit, mode),
        )

    def image_links(self, *, refresh: bool) -> ImageLinks:
        """The links of the images of one request."""
        return ImageLinks(self._output, self._settings, self._lookup, self._uploader, refresh=refresh)

    def requests(
        self,
        words: Words,
        submit: SubmitOptions,
        *,
        endpoint: str = "imagine",
        image_fields: Mapping[str, str | None] | None = None,
        **fields: object,
    ) -> list[Request]:
        """The requests of a prompt: one, or one for each permutation.

        Images in the words and in `image_fields` (body fields) are named as people do: link, reference, id or
        file. They are checked and uploaded unless this is a dry run. Fields that are None are left out.
        Raises `UsageError` (`PromptRefused`), and as `Uploader.upload` does.
        """
        images = self.image_links(refresh=not submit.dry_run)
        links = [images.link(each) for each in words.images]
        linked = {name: images.link(each) for name, each in (image_fields or {}).items() if each is not None}
        text = Words(words.text, parameters=images.in_arguments(words.parameters)).prompt
        prompts = self.compose(images.in_prompt(text), links, endpoint)
        if not fields.get("translation"):
            translates = "--translation" if endpoint == "imagine" else "mj translate"
            self.suggest_translation(prompts, f"{translates} translates the prompt")
        texts = [each.text for each in prompts]
        body: dict[str, Any] = dict(linked)
        if submit.dry_run:
            images.report_placeholders()
        else:
            bodies = [{"prompt": text, **_body_fields(text, endpoint), **fields} for text in texts]
            confirm_jobs(self._output, texts, lambda: self._cost(bodies, submit), yes=self._prompt.yes)
            if not self._check.no_check:
                self._check_links(prompts, images.trusted)
            body = self._uploaded(images, linked, submit)
            with before_sending(submit):
                texts = images.upload(texts, remember=not submit.no_ledger)
        body |= {name: value for name, value in fields.items() if value is not None}
        return [
            Request(
                prompt.typed, {"action": "generate", "prompt": text, **_body_fields(text, endpoint), **body}
            )
            for prompt, text in zip(prompts, texts, strict=True)
        ]

    def _cost(self, bodies: Sequence[Mapping[str, Any]], submit: SubmitOptions) -> str:
        return self._expected(bodies, submit, self._mode) if self._expected is not None else ""

    def image_request(self, image_fields: Mapping[str, str], submit: SubmitOptions) -> dict[str, Any]:
        """The body of a request without a prompt, its images resolved, checked and uploaded as in `requests`."""
        images = self.image_links(refresh=not submit.dry_run)
        links = {name: images.link(each) for name, each in image_fields.items()}
        if submit.dry_run:
            images.report_placeholders()
            return dict(links)
        return self._uploaded(images, links, submit)

    def compose(self, text: str, links: Sequence[str] = (), endpoint: str = "imagine") -> list[Composed]:
        """The prompts as they would be sent, one for each permutation; nothing is sent.

        `links` are the image prompts before the typed text. Shows warnings. Raises `PromptRefused`, `UsageError`.
        """
        checked = not self._check.no_check
        # The defaults of image prompts do not apply to videos.
        suffixes = [] if endpoint == "videos" else self._suffixes()
        changes: list[str] = []
        if checked:
            # Before the braces, which may be in the bold words of a pasted prompt.
            from mjcli.prompt.paste import unwrap

            text, changes = unwrap(text)
        texts = self._permuted(text)
        if checked:
            texts = self._repaired(texts, changes)
        overridden = [BY_SPELLING[self._mode].slot] if self._mode else []
        composed = [compose(links, each, suffixes, checked=checked, overridden=overridden) for each in texts]
        self._show_notices(notice for each in composed for notice in each.notices)
        if checked:
            self._judge(composed, [self.findings(each, endpoint) for each in composed])
            self._check_mode(composed)
        return composed

    def findings(self, prompt: Composed, endpoint: str = "imagine") -> list[Finding]:
        """The mistakes in a prompt, and what is misplaced among its words, in the order of their positions."""
        from mjcli.cli.misplaced import misplaced

        found = [*_findings(prompt, endpoint), *misplaced(prompt, self._command or _COMMANDS[endpoint])]
        return sorted(found, key=lambda each: (each.start, each.end))

    def check_words(self, words: str, *, only_parameters: bool = False) -> str:
        """Words that stand alone, repaired and checked as a prompt; with `only_parameters`, they may be missing.

        Raises `UsageError` (`PromptRefused`).
        """
        composed = [compose([], each) for each in self._repaired([words])]
        accepted = ("empty",) if only_parameters else ()
        findings = [
            [found for found in self.findings(each) if found.code not in accepted] for each in composed
        ]
        self._judge(composed, findings)
        self._check_mode(composed)
        return composed[0].text

    def suggest_translation(self, prompts: Sequence[Composed], hint: str) -> None:
        """Show a hint if a prompt is not in the language that the service understands best."""
        if self._check.no_check or all(each.text.isascii() for each in prompts):
            return
        from mjcli.prompt.language import may_need_translation

        if any(may_need_translation(each.text) for each in prompts):
            self._output.notice(f"The service understands English best; {hint}.")

    # -- parts -------------------------------------------------------------------------------------

    def _uploaded(
        self, images: ImageLinks, links: Mapping[str, str], submit: SubmitOptions
    ) -> dict[str, Any]:
        """Body fields with links, checked, and files uploaded."""
        if not self._check.no_check:
            images.check(links.values(), strict=self._check.strict)
        with before_sending(submit):
            uploaded = images.upload(list(links.values()), remember=not submit.no_ledger)
        return dict(zip(links, uploaded, strict=True))

    def _check_links(self, prompts: Sequence[Composed], trusted: Collection[str]) -> None:
        """Refuse image prompts that do not lead to an image. Raises `PromptRefused`."""
        places = [[link for link in _links_in(each.text) if link[0] not in trusted] for each in prompts]
        bad = bad_links(self._settings, (url for each in places for url, _, _ in each))
        findings = [
            [
                Finding(_severity(url, bad[url]), "image", problem_of("The link", bad[url]), start, end)
                for url, start, end in each
                if url in bad
            ]
            for each in places
        ]
        self._judge(prompts, findings)

    def _check_mode(self, prompts: Sequence[Composed]) -> None:
        """Refuse a prompt that contradicts --mode. Raises `UsageError`."""
        for each in prompts:
            mode = mode_in(each.text)
            if self._mode and mode and mode != self._mode:
                raise UsageError(
                    f"--mode {self._mode} and --{mode} in the prompt contradict each other: remove one."
                )

    def _suffixes(self) -> list[Suffix]:
        """What defaults and presets append to the prompt; later ones win."""
        settings = self._settings
        found = [Suffix("defaults", settings.suffix.value)] if settings.suffix.value else []
        for name in self._prompt.preset or ():
            if name not in settings.presets:
                known = ", ".join(settings.presets) or "none"
                raise UsageError(
                    f'Unknown preset "{name}"; defined presets: {known}.',
                    hint=command("config", "set", f"presets.{name}.suffix", "--ar 2:3", note="defines it"),
                )
            found.append(Suffix(f"preset {name}", settings.presets[name].value))
        return found

    def _permuted(self, text: str) -> list[str]:
        if "{" not in text and "}" not in text:
            self._refuse_permute()
            return [text]
        from mjcli.prompt.permute import BracesError, count, has_braces, permutations

        if not self._prompt.permute:
            if not self._check.no_check and has_braces(text):
                self._output.notice("Braces are sent as typed; --permute starts a job for each choice.")
            return [text]
        most = MAX_JOBS if self._prompt.yes else MAX_UNCONFIRMED
        try:
            number = count(text)
            if number == 1:
                self._refuse_permute()
            if number > most:
                raise UsageError(
                    f"The braces make {number} jobs, each billed separately; the limit is {most}."
                    " Nothing was sent.",
                    hint=None if number > MAX_JOBS else "--yes starts them all; each is billed separately",
                )
            return permutations(text)
        except BracesError as error:
            finding = Finding(ERROR, "braces", str(error), error.place, error.place + 1)
            raise PromptRefused(text, [finding]) from None

    def _refuse_permute(self) -> None:
        """Refuse --permute without choices: a shell reads braces without quotes itself. Raises `UsageError`."""
        if self._prompt.permute:
            raise UsageError(
                "--permute needs {choices} in the prompt, in quotes. Nothing was sent.",
                hint=command("imagine", "a {red, green} bird", "--permute"),
            )

    def _repaired(self, texts: Sequence[str], changes: Sequence[str] = ()) -> list[str]:
        """The prompts as they must be typed, with one notice for all changes, the earlier ones included."""
        from mjcli.prompt.paste import notice
        from mjcli.prompt.typography import repaired

        found = [repaired(each) for each in texts]
        self._show_notices(notice([*changes, *(change for _, more in found for change in more)]))
        return [text for text, _ in found]

    def _show_notices(self, notices: Iterable[str]) -> None:
        for notice in dict.fromkeys(notices):
            self._output.notice(notice)

    def _judge(self, prompts: Sequence[Composed], findings: Sequence[Sequence[Finding]]) -> None:
        """Show warnings. Raises `PromptRefused` for the first prompt with an error."""
        shown: set[str] = set()
        strict = self._check.strict
        for prompt, found in zip(prompts, findings, strict=True):
            errors = [each for each in found if strict or each.severity == ERROR]
            if errors:
                only_warnings = all(each.severity == WARNING for each in errors)
                hint = "omit --strict to send it" if only_warnings else "--no-check sends it anyway"
                raise PromptRefused(prompt.text, errors, hint=hint if prompt.text else None)
            for each in found:
                if each.message not in shown:
                    shown.add(each.message)
                    self._output.warning(each.message, prompt=prompt.text, start=each.start, end=each.end)


def _body_fields(prompt: str, endpoint: str) -> dict[str, object]:
    """What a request says beside its prompt; only one endpoint has such fields."""
    return body_fields(prompt) if endpoint == "imagine" else {}


def _severity(url: str, check: LinkCheck) -> str:
    """How bad a link is that could not be checked, or leads to no image."""
    return _SEVERITY[check.verdict] if is_valid_link(url) else ERROR


def _links_in(prompt: str) -> Iterable[tuple[str, int, int]]:
    """The image links in a prompt, with their positions."""
    for part in parse(prompt).parts:
        is_reference = takes_images(part.parameter)
        for token in part.tokens if part.kind == "image" else part.values if is_reference else ():
            if is_link(token.text) and not is_placeholder(token.text):
                scheme, _, rest = token.text.partition("://")
                yield f"{scheme}://{rest.partition('::')[0]}", token.start, token.end


def _findings(prompt: Composed, endpoint: str = "imagine") -> list[Finding]:
    """What the checker finds, naming the origin of what was not typed in the prompt."""
    found = []
    for each in check(prompt.text):
        if endpoint == "videos" and each.code == "unknown_parameter":
            each = each._replace(severity=WARNING)  # videos have parameters of their own
        origin = prompt.origin(each.start)
        typed = origin == TYPED or origin.startswith("option ")
        found.append(each if typed else each._replace(message=f"{each.message} (from {origin})"))
    return found
