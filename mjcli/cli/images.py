"""The links of the images in a request: resolved from names, checked, and uploaded from files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from mjcli.cli.inputs import is_file, names_image_file, refuse_bad_link
from mjcli.errors import ApiError, ConfigError, ExitCode, Remedy, UsageError
from mjcli.prompt.parameters import Parameter, known
from mjcli.prompt.parse import Token, is_link, is_name, names_image, parse

if TYPE_CHECKING:
    from mjcli.api import Client, FileStore
    from mjcli.cli.context import Context
    from mjcli.cli.lookup import Lookup
    from mjcli.cli.output.sink import Output
    from mjcli.jobs.ledger import Ledger
    from mjcli.media.probe import LinkCheck
    from mjcli.settings.load import Settings

_PLACEHOLDER = "https://upload.invalid/"

_SUFFIXES = {"jpg": (".jpg", ".jpeg")}  # formats whose files may have another suffix


def takes_images(parameter: Parameter | None) -> bool:
    """Whether the values of a prompt parameter are images: --sref, --cref and --oref."""
    return parameter is not None and parameter.form in ("REF", "URL")


def is_placeholder(link: str) -> bool:
    """Whether a link stands for a file that has not been uploaded yet."""
    return link.startswith(_PLACEHOLDER)


def bad_links(settings: Settings, urls: Iterable[str]) -> dict[str, LinkCheck]:
    """The links that do not lead to an image, or could not be checked, by their URL."""
    unique = list(dict.fromkeys(urls))
    if not unique:
        return {}
    from mjcli.media.probe import check_links

    checks = check_links(
        unique, allow_private=settings.api_is_local, use_environment=not settings.sandbox.value
    )
    return {each.url: each for each in checks if each.verdict in ("refused", "doubtful")}


def problem_of(subject: str, check: LinkCheck) -> str:
    """What is wrong with a link, as a sentence about `subject`; the reasons of checks are about "it"."""
    return f"{subject} {check.reason.removeprefix('It ')}"


class Uploader:
    """Uploads files of this machine, each content once: the ledger remembers the links while they live.

    `client`, `files` and `ledger` are called when first needed; `client` raises `NoTokenError` when the job
    could not be sent either.
    """

    def __init__(
        self,
        output: Output,
        settings: Settings,
        *,
        client: Callable[[], Client],
        files: Callable[[], FileStore],
        ledger: Callable[[], Ledger],
    ) -> None:
        self._output, self._settings = output, settings
        self._client, self._files, self._ledger = client, files, ledger
        self._links: dict[str, str] = {}  # of this run, by the digest of the content

    @classmethod
    def of(cls, context: Context) -> Uploader:
        """The uploader of this run."""
        return cls(
            context.output,
            context.settings,
            client=lambda: context.client,
            files=lambda: context.files,
            ledger=lambda: context.ledger,
        )

    def upload(self, path: Path, *, remember: bool = True) -> str:
        """The link of an image file, uploaded unless the same content was before.

        Without `remember` the ledger is neither read nor written. Raises `UsageError` for a file that is not
        an image, `NoTokenError`, `ConfigError` for an unusable ledger, and as `FileStore.upload` does.
        """
        from mjcli.media.local import read_image

        data = read_image(path)
        self._client()  # nothing is uploaded for a job that cannot be sent
        digest = _digest(data)
        if digest not in self._links:
            # A sandbox has another port each time.
            remember = remember and not self._settings.sandbox.value
            self._links[digest] = self._remembered_or_new(path, data, digest, remember=remember)
        return self._links[digest]

    def _remembered_or_new(self, path: Path, data: bytes, digest: str, *, remember: bool) -> str:
        from mjcli.media.local import format_size

        files = self._files()
        if remember and (link := self._remembered(digest)) is not None:
            self._output.notice(f"{path.name} was uploaded before; reusing its link.")
            return link
        once = " (once; later jobs reuse the link)" if remember else ""
        size = format_size(len(data))
        self._output.notice(f"Uploading {path.name}, {size}, to {urlsplit(files.url).netloc}{once}.")
        with self._explained_refusal():
            link, lifetime = files.upload(_file_name(path, data), data)
        self._output.detail(f"Uploaded {path.name}: {link}")
        if remember:
            with contextlib.suppress(ConfigError):  # the link is valid, recorded or not
                self._ledger().uploads.remember(digest, self._account, link, lifetime=lifetime)
        return link

    @contextlib.contextmanager
    def _explained_refusal(self) -> Iterator[None]:
        """Suggest no token of its own for the file endpoint where it refused the API token."""
        try:
            yield
        except ApiError as error:
            api_token = self._settings.token_for_files.value and not self._settings.files_token.value
            if api_token and error.remedy == Remedy.FILES_TOKEN:
                error.remedy = None if error.exit_code == ExitCode.AUTH else Remedy.HOST_IMAGE
            raise

    @property
    def _account(self) -> str:
        """What tells accounts apart, whose links serve them alone; the tokens cannot be read from it."""
        settings = self._settings
        tokens = (settings.token.value, settings.files_token.value)
        account = (settings.profile.value, settings.host, settings.files_url.value, *tokens)
        return _digest(repr(account).encode())

    def _remembered(self, digest: str) -> str | None:
        """The link of an earlier upload, unless it certainly leads to no image any more."""
        uploads = self._ledger().uploads
        link = uploads.find(digest, self._account)
        if link is None:
            return None
        from mjcli.media.links import has_expired
        from mjcli.media.probe import check_links

        if not has_expired(link, time.time()):
            local = self._settings.files_are_local
            (check,) = check_links([link], allow_private=local, use_environment=not local)
            if check.verdict != "refused":
                return link
        uploads.forget(digest, self._account)
        return None


class ImageLinks:
    """The images of one request. A file has a placeholder link until it is uploaded.

    With `refresh` the service is asked for new links where old ones have expired.
    """

    def __init__(
        self, output: Output, settings: Settings, lookup: Lookup, uploader: Uploader, *, refresh: bool
    ) -> None:
        self._output, self._settings, self._lookup = output, settings, lookup
        self._uploader, self._refresh = uploader, refresh
        self._files: dict[str, Path] = {}
        self._uploaded: dict[str, str] = {}
        #: Links that came from the service itself, which need no check.
        self.trusted: set[str] = set()

    def link(self, name: str) -> str:
        """The link of an image given as a link, reference, id or file. Raises `UsageError`."""
        refuse_bad_link(name)
        if is_file(name):
            from mjcli.media.local import read_image

            read_image(Path(name))  # reports a bad file before anything is sent
            if (saved := self._lookup.link_of_file(name, refresh=self._refresh)) is not None:
                self.trusted.add(saved)
                return saved
            placeholder = f"{_PLACEHOLDER}{len(self._files) + 1}/{quote(Path(name).name)}"
            self._files[placeholder] = Path(name)
            return placeholder
        link = self._lookup.link(name, refresh=self._refresh)
        if not is_link(name):
            self.trusted.add(link)
        return link

    def in_arguments(self, arguments: Sequence[str]) -> list[str]:
        """The arguments that end a prompt, with links in place of files whose names have spaces."""
        linked: list[str] = []
        reference = False
        for each in arguments:
            if is_name(each):
                reference = takes_images(known(each[2:]))
            has_space = any(map(str.isspace, each))
            linked.append(self.link(each) if reference and has_space and names_image_file(each) else each)
        return linked

    def in_prompt(self, prompt: str) -> str:
        """A prompt with links in place of the files and references of its parameters."""
        if not any(map(names_image, prompt.split())):
            return prompt
        parsed = parse(prompt)
        parts = [
            part._replace(tokens=tuple(map(self._linked, part.tokens)))
            if takes_images(part.parameter)
            else part
            for part in parsed.parts
        ]
        return str(parsed._replace(parts=tuple(parts)))

    def _linked(self, token: Token) -> Token:
        """A value of a parameter with a link in place of a file or a reference."""
        is_name = names_image(token.text) and not is_link(token.text)
        return token._replace(text=self.link(token.text)) if is_name else token

    def report_placeholders(self) -> None:
        """Show which files would be uploaded, for commands that send nothing."""
        for placeholder, path in self._files.items():
            self._output.notice(f"{path} would be uploaded first; {placeholder} stands for its link.")

    def check(self, links: Collection[str], *, strict: bool) -> None:
        """Refuse links that do not lead to an image, for links outside a prompt. Raises `UsageError`."""
        unknown = (each for each in links if each not in self.trusted and not is_placeholder(each))
        for url, check in bad_links(self._settings, unknown).items():
            problem = problem_of(f'The image "{url}"', check)
            if check.verdict != "refused" and not strict:
                self._output.warning(problem)
                continue
            raise UsageError(
                f"{problem} Nothing was sent.",
                hint="--no-check sends it anyway"
                if check.verdict == "refused"
                else "omit --strict to send it",
            )

    def upload(self, texts: Sequence[str], *, remember: bool) -> list[str]:
        """Prompts or links with placeholders replaced by the links of the uploaded files."""
        for placeholder, path in self._files.items():
            if placeholder not in self._uploaded:
                self._uploaded[placeholder] = self._uploader.upload(path, remember=remember)
            texts = [each.replace(placeholder, self._uploaded[placeholder]) for each in texts]
        return list(texts)


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _file_name(path: Path, data: bytes) -> str:
    """The file's name with a suffix that fits its bytes: the endpoint may go by it."""
    from mjcli.media.formats import extension_of

    kind = extension_of(data[:16]) or ""
    fits = path.suffix.lower() in _SUFFIXES.get(kind, (f".{kind}",))
    return path.name if fits else f"{path.name}.{kind}"
