"""From the lines of a batch file to orders: composed and checked as the commands do it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mjcli.api.actions import modern, spelling, takes_words
from mjcli.cli.actions import offered_actions
from mjcli.cli.batch.fields import PROMPT_ONLY, arguments_of
from mjcli.cli.batch.files import located
from mjcli.cli.batch.messages import LineMessages
from mjcli.cli.batch.steps import read_action
from mjcli.cli.images import ImageLinks
from mjcli.cli.options import CheckOptions, ImageOptions, PromptOptions, SubmitOptions
from mjcli.cli.request import RequestBuilder, Words
from mjcli.errors import BatchRefused, LineProblem, PromptRefused, StillRunning, UsageError
from mjcli.jobs.order import Order
from mjcli.prompt.compose import body_fields, mode_in
from mjcli.prompt.parameters import BY_SPELLING, quoted
from mjcli.prompt.parse import is_link

if TYPE_CHECKING:
    from mjcli.cli.batch.lines import Line
    from mjcli.cli.context import Context
    from mjcli.cli.images import Uploader
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.origins import Image
    from mjcli.cli.output.sink import Output
    from mjcli.settings.load import Settings

_SEND = SubmitOptions()
_MOST_QUOTED = 40  # characters of the place of a mistake


class LineDefaults(NamedTuple):
    """The options of `mj batch` that apply to the lines that do not say otherwise."""

    prompt: PromptOptions = PromptOptions()
    check: CheckOptions = CheckOptions()
    image: ImageOptions = ImageOptions()
    translation: bool | None = None
    style_reference: bool | None = None
    moodboard: bool | None = None


class LineOrders:
    """Makes the orders of lines; to be used in one thread.

    Relative paths in the lines start at `directory`, by default the working directory.
    """

    def __init__(
        self,
        output: Output,
        settings: Settings,
        lookup: Lookup,
        uploader: Uploader,
        defaults: LineDefaults = LineDefaults(),  # noqa: B008 - an immutable tuple
        directory: Path | None = None,
    ) -> None:
        self._messages = LineMessages(output)
        self._settings, self._lookup, self._uploader = settings, lookup, uploader
        self._defaults, self._directory = defaults, directory or Path()
        self._builders: dict[str | None, _LineBuilder] = {}
        self._images = _KnownImages()
        self._by_link: dict[tuple[str, str], str] | None = None

    @classmethod
    def of(
        cls,
        context: Context,
        lookup: Lookup,
        defaults: LineDefaults = LineDefaults(),  # noqa: B008
        directory: Path | None = None,
    ) -> LineOrders:
        """What makes the orders of this run."""
        from mjcli.cli.images import Uploader

        settings = context.settings  # first: it sets the tokens that the output masks
        return cls(context.output, settings, lookup, Uploader.of(context), defaults, directory)

    def check_all(self, lines: Iterable[Line], name: str) -> list[Order]:
        """Check lines of the file with this name, and show each notice and warning once; return their drafts.

        Raises `BatchRefused` with all problems, and `ConfigError` for an unusable ledger.
        """
        problems, drafts = [], []
        for line in lines:
            try:
                drafts.append(self.check(line))
            except UsageError as error:
                problems.append(LineProblem(line.number, _sentence(error)))
        self._messages.show()
        if problems:
            raise BatchRefused(name, problems)
        return drafts

    def check(self, line: Line) -> Order:
        """Check all of a line that needs no network, and return a draft of its order, whose files are not uploaded.

        Raises `UsageError`.
        """
        self._messages.line = line.number
        if "action" in line.fields:
            return self._action(line)
        builder = self._builder(line)
        images = builder.image_links(refresh=False)
        links = [images.link(each) for each in line.fields.get("image", ())]
        words = Words(line.fields["prompt"], parameters=images.in_arguments(list(arguments_of(line.fields))))
        (prompt,) = builder.compose(images.in_prompt(words.prompt), links)
        if not self._field(line, "translation"):
            builder.suggest_translation([prompt], "--translation translates the prompts")
        given = {name: self._field(line, name) for name in PROMPT_ONLY}
        fields = {name: value for name, value in given.items() if value is not None}
        body = {"prompt": prompt.text, **fields, **self._image_fields(line, prompt.text)}
        return Order("imagine", "imagine", body, prompt.typed)

    def order(self, line: Line) -> Order:
        """The order of a line that is about to be sent: links are checked and files uploaded.

        Raises as `check` does, and as `RequestBuilder.requests`.
        """
        self._messages.line = line.number
        if "action" in line.fields:
            return self._action(line)
        images = line.fields.get("image", ())
        words = Words(line.fields["prompt"], images, list(arguments_of(line.fields)))
        fields: dict[str, Any] = {name: self._field(line, name) for name in PROMPT_ONLY}
        (request,) = self._builder(line).requests(words, _SEND, **fields)
        self._images.trusted.update(filter(is_link, images))
        body = {**request.body, **self._image_fields(line, str(request.body["prompt"]))}
        return Order("imagine", "imagine", body, request.subject)

    # -- parts -------------------------------------------------------------------------------------

    def _field(self, line: Line, name: str) -> bool | None:
        """A field of the request that is an option of `mj batch`, too."""
        value: bool | None = line.fields.get(name, getattr(self._defaults, name))
        return value

    def _explicit_mode(self, line: Line) -> str | None:
        """The mode of the line, or that of --mode unless its prompt says another."""
        mode: str | None = line.fields.get("mode")
        default = self._defaults.image.mode
        if mode is not None or default is None:
            return mode
        said = any(_sets_mode(name) for name in line.fields) or mode_in(line.fields.get("prompt", ""))
        return None if said else default

    def _image_fields(self, line: Line, prompt: str) -> dict[str, Any]:
        """How the images are made, as fields of the request."""
        mode = self._explicit_mode(line)
        if mode is None and (default := self._defaults.image.mode or self._settings.mode.value):
            mode = mode_in(prompt) or default
        split = line.fields.get("split_images", self._defaults.image.split_images)
        fields = {"mode": mode, "split_images": split}
        return {name: value for name, value in fields.items() if value is not None}

    def _builder(self, line: Line) -> _LineBuilder:
        mode = self._explicit_mode(line)
        if mode not in self._builders:
            builder = _LineBuilder(
                self._messages,
                self._settings,
                self._lookup,
                self._uploader,
                self._defaults.prompt,
                self._defaults.check,
                mode,
                "batch",
            )
            builder.directory, builder.known = self._directory, self._images
            self._builders[mode] = builder
        return self._builders[mode]

    # -- actions -----------------------------------------------------------------------------------

    def _action(self, line: Line) -> Order:
        """The order of a line that applies an action. Raises `UsageError`."""
        (action,) = read_action(line.fields["action"])
        image = self._image(line.fields["image"][0])
        offered = offered_actions(image)
        if image.job is not None:
            self._lookup.check_host(image.job)
        if offered is not None and modern(action) not in map(modern, offered):
            those = f"it offers {', '.join(offered)}" if offered else "it offers no actions"
            raise UsageError(f'Image {image.id} does not offer "{action}"; {those}.')
        fields = self._action_fields(line, action)
        prompt = str(fields.get("prompt") or "")
        body = {
            "action": spelling(action, offered or []),
            "image_id": image.id,
            **fields,
            **self._image_fields(line, prompt),
        }
        subject = prompt or (image.job.words if image.job is not None else "")
        return Order("action", "imagine", body, subject, image.id)

    def _action_fields(self, line: Line, action: str) -> dict[str, Any]:
        """The fields of the request from the new words and the prompt parameters. Raises `UsageError`."""
        prompt = line.fields.get("prompt")
        parameters = list(arguments_of(line.fields))
        if prompt is None and not parameters:
            return {}
        if prompt is not None and not takes_words(action):
            raise UsageError(f"New words work with variations, zooms and pans, not with {action}.")
        if prompt is None:
            for name in line.fields:
                if name in BY_SPELLING and BY_SPELLING[name].body is None:
                    raise UsageError(f"{name} needs new words: an action without a prompt does not take it.")
        text = " ".join(filter(None, [prompt, *parameters]))
        if not self._defaults.check.no_check:
            text = self._builder(line).check_words(text, only_parameters=prompt is None)
        return body_fields(text) if prompt is None else {"prompt": text, **body_fields(text)}

    def _image(self, name: str) -> Image:
        """The image of an id, a saved file, or a link of an image in the ledger. Raises `UsageError`."""
        found = located(name, self._directory)
        if is_link(name):
            known = self._linked().get(_without_signature(name))
            if known is None:
                raise UsageError(f"{quoted(name)} is not the link of an image in the ledger; use its id.")
            found = known
        try:
            return self._lookup.image(found)
        except StillRunning as error:
            raise UsageError(error.message) from None

    def _linked(self) -> dict[tuple[str, str], str]:
        """The ids of the images in the ledger by their links; read when the first link is looked up."""
        if self._by_link is None:
            self._by_link = {}
            for link, image_id in self._lookup.image_ids_by_link():
                self._by_link.setdefault(_without_signature(link), image_id)
        return self._by_link


class _KnownImages:
    """What is known of the images of a batch, so that each is read and checked once before the batch starts."""

    def __init__(self) -> None:
        self.links: dict[str, str] = {}  # by name; that of a file stands for it
        self.trusted: set[str] = set()


class _LineImages(ImageLinks):
    """The images of one line, whose files are relative to the directory of the batch."""

    directory: Path
    known: _KnownImages

    def link(self, name: str) -> str:
        """The link of an image; references are refused. Raises `UsageError`."""
        if name.startswith("@"):
            raise UsageError(f"{quoted(name)} changes with every job; use the id of the image.")
        path = located(name, self.directory)
        if self._refresh:
            return super().link(path)
        if path not in self.known.links:
            self.known.links[path] = super().link(path)
        return self.known.links[path]


class _LineBuilder(RequestBuilder):
    """Builds the requests of lines: one for each, with the braces as they are typed."""

    directory: Path
    known: _KnownImages

    def image_links(self, *, refresh: bool) -> ImageLinks:
        """The links of the images of one line."""
        images = _LineImages(self._output, self._settings, self._lookup, self._uploader, refresh=refresh)
        images.directory, images.known, images.trusted = self.directory, self.known, self.known.trusted
        return images

    def _permuted(self, text: str) -> list[str]:
        if "{" in text or "}" in text:
            from mjcli.prompt.permute import has_braces

            if not self._check.no_check and has_braces(text):
                self._output.notice("Braces are sent as typed; a batch takes a line for each choice.")
        return [text]


def _sets_mode(name: str) -> bool:
    return name in BY_SPELLING and BY_SPELLING[name].group == "mode"


def _without_signature(link: str) -> tuple[str, str]:
    """What stays the same when a link is refreshed: its host and path."""
    parts = urlsplit(link)
    return parts.netloc.lower(), parts.path


def _sentence(error: UsageError) -> str:
    """What is wrong with a line; with the place in its prompt where the message does not contain it."""
    if not isinstance(error, PromptRefused):
        return error.message.removesuffix(" Nothing was sent.")
    return " ".join(_located(error.prompt, each) for each in _unique(error.findings))


def _located(prompt: str, finding: Any) -> str:
    place = prompt[finding.start : finding.end].strip()
    message = str(finding.message)
    if not place or len(place) > _MOST_QUOTED or place in message:
        return message
    return f"{message} ({quoted(place)})"


def _unique(findings: Sequence[Any]) -> list[Any]:
    return list({each.message: each for each in reversed(findings)}.values())[::-1]
