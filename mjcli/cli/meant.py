"""What people type and what they mean: words of other programs that are commands, options or references here.

Only tables and plain functions: `parser` and `lookup` ask them when a word is unknown, so that a real command or
option never gets here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from mjcli.api.actions import VERBS, read, short
from mjcli.cli import shell
from mjcli.cli.hints import command
from mjcli.cli.inputs import is_regular_file, names_image_file
from mjcli.prompt.parameters import VERSIONS, either, known
from mjcli.prompt.parse import is_link

_LONGEST = 100  # characters of a suggested line


class Meant(NamedTuple):
    """A suggestion: a question that ends the error (with a space before it), and the lines below it."""

    question: str = ""
    hint: str = ""


# -- commands ------------------------------------------------------------------------------------------

_NO_CANCEL = "the service cannot cancel a job that it has accepted"
_WEBSITE = "the service's website shows the balance"
_INSTALLER = "update mj with the program that installed it, such as pip, pipx or uv"

# Each line is a command, with a note after "|", or a sentence if its first word is no command. "+" stands for the
# arguments typed; without any, such a line is left out, and with some, the others are. "WORD…" stands for the
# arguments typed, else for itself. Lines for commands that do not exist are left out; after "or", for those that do.
_COMMANDS: dict[str, tuple[str, ...]] = {
    "login signin sign-in log-in authenticate authorize connect": ("auth login",),
    "logout signout sign-out log-out": ("auth logout",),
    "token set-token key api-key apikey set-key": ("auth login | asks for the token", "auth status"),
    "whoami account me user": ("auth status",),
    "ls list jobs job log logs recent": ("history",),
    "ps queue running pending": ("history --state running",),
    "status state": ("describe-task +", "history | lists your jobs with their states", "auth status"),
    "watch wait follow attach poll tail": ("describe-task + --wait", "resume | waits for unfinished jobs"),
    "continue finish recover": ("resume +", "resume | waits for unfinished jobs"),
    "version ver": ("--version",),
    "docs doc manual usage commands": ("--help",),
    "info inspect details detail": ("history show +", "history show @last"),
    "show display": ("history show +", "open @last"),
    "view preview see": ("open +", "open @last"),
    "get fetch save dl pull export": ("download +", "download @last"),
    "rm delete remove del purge clear clean": ("history delete +", "history delete JOB", "or history"),
    "generate gen create draw make img image images paint render new prompt dream txt2img text2img t2i": (
        "imagine PROMPT…",
    ),
    "upsample upscaler": ("upscale +", "upscale 1 @last"),
    "variation variations variant": ("vary +", "vary 1 @last"),
    "outpaint uncrop expand": ("zoom 2 @last",),
    "redo again rerun regenerate repeat 🔄 🔁": ("reroll @last",),
    "retry": ("resume | continues unfinished jobs", "history --state failed"),
    "mask inpaint region": ("edit @last PROMPT --region 0,0,50%,50%",),
    "remix modify change": ("edit @last PROMPT",),
    "animate movie film vid": ("video --image @last PROMPT…",),
    "extend": ("extend-video @last",),
    "mix merge combine": ("blend @last @2",),
    "caption interrogate img2txt image2text analyze analyse describe-image": ("describe @last…",),
    "simplify shorter compress condense": ("shorten PROMPT…",),
    "models model": (f"imagine PROMPT --v {VERSIONS[-1]} | chooses the model version",),
    "balance credits credit quota money": ("balance", f"or {_WEBSITE}"),
    "spend cost costs spending price prices billing usage-costs": ("spend", f"or {_WEBSITE}"),
    "server serve mock": ("sandbox | serves a stand-in for the API", "listen | receives callbacks"),
    "webhook webhooks callback callbacks hook": ("listen",),
    "set": ("config set +", "config set KEY VALUE"),
    "unset": ("config unset +", "config unset KEY"),
    "settings setting preferences prefs options cfg env": ("config list",),
    "configure setup init start install": ("auth login", "config list"),
    "profile profiles accounts preset presets": ("config list",),
    "update upgrade self-update": (_INSTALLER,),
    "cancel stop kill abort": (_NO_CANCEL, "history --state running"),
    "search find grep": ("history --search +", "history --search WORDS"),
    "favorite favourite fav like bookmark": ("star +", "star @last", "or history"),
    "browse browser web": ("gallery", "open @last"),
    "bulk many": ("batch FILE…",),
    "diagnose doctor diagnostics": ("doctor", "or auth status"),
    "completions autocomplete complete": ("completion SHELL…",),
    "lint validate verify test dry-run": ("check PROMPT…",),
}

# The commands of a group, by the group.
_SUBCOMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "auth": {
        "signin sign-in log-in add token set set-token key new": ("auth login",),
        "signout sign-out log-out remove rm delete": ("auth logout",),
        "whoami show list ls check test info": ("auth status",),
        "refresh renew": ("auth login",),
    },
    "config": {
        "ls show all dump print view": ("config get +", "config list"),
        "edit open file where": ("config path",),
        "read": ("config get +", "config get KEY"),
        "add write change update": ("config set +", "config set KEY VALUE"),
        "rm remove delete del reset clear": ("config unset +", "config unset KEY"),
        "token set-token key set-key api-key login init setup": ("auth login",),
        "profile profiles presets": ("config list",),
    },
    "history": {
        "ls list all": ("history",),
        "rm remove del clear": ("history delete +", "history delete JOB", "or history"),
        "view info get inspect": ("history show +", "history show @last"),
        "search find grep": ("history --search +", "history --search WORDS"),
    },
}

_HELP = frozenset(
    ("help", "--help", "-help", "-h", "--h", "-?", "--?", "/?", "/h", "/help", "--hlep", "--usage", "-usage")
)


def asks_for_help(word: str) -> bool:
    """Whether a word is `--help` as other programs spell it."""
    return word.lower() in _HELP and word != "help"


def subcommand(
    path: Sequence[str], arguments: Sequence[str], exists: Callable[[Sequence[str]], bool]
) -> Meant:
    """What an unknown command means. `path` is the group, after `mj`; `arguments` begin with the unknown word.

    `exists` tells whether words after `mj` begin with a command.
    """
    word, rest = arguments[0], _without_secrets(arguments[1:])
    name = word.lower().removeprefix("/")
    if word.lower() == "help" or asks_for_help(word):
        return Meant(hint=_help_for(path, rest, exists))
    if name != word and exists([*path, name]):
        return Meant(hint=_line(f"{' '.join([*path, name])} PROMPT…", _unprefixed(rest)))
    table = _COMMANDS if not path else _SUBCOMMANDS.get(path[-1], {})
    if not path and (button := _button(name, rest)):
        return Meant(hint=button)
    lines = next((lines for names, lines in table.items() if name in names.split()), None)
    if lines is not None:
        return Meant(hint=_lines(lines, _unprefixed(rest), exists))
    if list(path) == ["history"]:
        return Meant(hint=_joined([command("history", "show", word), command("history", "--search", word)]))
    return Meant()


def _button(name: str, rest: Sequence[str]) -> str:
    """The command for the label of a button (`U1`, `V2`, `strong`, `upscale2`), or for `2 upscale`."""
    verb = next(iter(rest), "").lower()
    if name.isdecimal() and read(f"{verb} {name}"):
        return command(verb, name, *rest[1:])
    if name.isdecimal() or name in VERBS:
        return ""
    for action in read(name) or read(f"vary {name}"):
        return command(*short(action), *rest)
    return ""


def prompt_without_command(arguments: Sequence[str], exists: Callable[[Sequence[str]], bool]) -> str:
    """The lines for arguments that begin with no command: a prompt, a link, a file or a reference."""
    word, rest = arguments[0], _without_secrets(arguments[1:])
    typed = [each for each in rest if not each.startswith("-")]
    if not exists(["imagine"]):
        return ""
    if is_link(word) or names_image_file(word):
        with_words = ["imagine", "--image", word, *(rest if typed else ["PROMPT"])]
        return _joined([] if typed else [command("describe", word)], [command(*with_words)])
    if is_regular_file(word):
        return _joined(
            [command("batch", word)] if exists(["batch"]) else [],
            [f"{command('imagine', '-')} < {shell.quoted(word)}"],
        )
    if (meant := reference(word)) or re.fullmatch(r"@(last|[1-9][0-9]*)", word):
        return _joined([command(*each, meant or word) for each in (("open",), ("history", "show"))])
    prose = any(map(str.isspace, word.strip())) or typed
    return _line("imagine PROMPT…", [word, *rest]) if prose and word[:1].isalnum() else ""


def typo(word: str, names: Sequence[str]) -> list[str]:
    """The names, at most two, that a misspelled word plausibly is."""
    from difflib import get_close_matches

    lower = word.lower()
    near = get_close_matches(lower, names, n=3, cutoff=0.7)
    found = [each for each in near if _is_slip(lower.lstrip("-"), each.lstrip("-"))]
    begun = [each for each in names if len(lower.lstrip("-")) >= 4 and each.startswith(lower)]
    return found[:2] or (begun if len(begun) == 1 else [])


def corrected(arguments: Sequence[str], wrong: str, near: Sequence[str]) -> str:
    """The line with the only name that a misspelled one plausibly is in its place; empty if there are several."""
    if len(near) != 1 or _without_secrets(arguments) != list(arguments):
        return ""
    line = command(*(near[0] if each == wrong else each for each in arguments))
    return line if len(line) <= _LONGEST else ""


def did_you_mean(word: str, names: Sequence[str]) -> str:
    """A question that suggests the names of `typo`, with a space before it; empty if there are none."""
    near = typo(word, names)
    return f" Did you mean {either(near)}?" if near else ""


def _is_slip(word: str, name: str) -> bool:
    """Whether two words differ as little as a slip of the finger; a "no-" is not one."""
    if word.startswith("no-") != name.startswith("no-"):
        return False
    if len(name) <= 3:
        return sorted(word) == sorted(name) or len(name) == 2
    return _distance(word, name) <= (2 if len(name) >= 7 else 1)


def _distance(one: str, other: str) -> int:
    """The number of letters to insert, delete, replace or swap to turn one word into the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _help_for(path: Sequence[str], rest: Sequence[str], exists: Callable[[Sequence[str]], bool]) -> str:
    """The help of the longest command that the words name."""
    words = list(path)
    for each in rest:
        is_group = not exists([*words, ""])  # a command without commands of its own takes any word
        if each.startswith("-") or not is_group or not exists([*words, each]):
            break
        words.append(each)
    return command(*words, "--help")


def _without_secrets(arguments: Sequence[str]) -> list[str]:
    """The arguments, none if a token may be among them."""
    names = (each.partition("=")[0].lstrip("-").lower() for each in arguments if each.startswith("-"))
    return [] if any(name in _SECRETS for name in names) else list(arguments)


def _unprefixed(arguments: Sequence[str]) -> list[str]:
    """The arguments without the `prompt:` of the service's chat command."""
    return list(arguments[1:] if arguments[:1] == ["prompt:"] else arguments)


def _lines(lines: Sequence[str], typed: Sequence[str], exists: Callable[[Sequence[str]], bool]) -> str:
    found: list[str] = []
    for line in lines:
        alternative = line.startswith("or ")
        line = line.removeprefix("or ")
        words = line.partition(" | ")[0].split()
        if alternative and found:
            continue
        if line in (_NO_CANCEL, _WEBSITE, _INSTALLER):
            found.append(line)
        elif words[0].startswith("-") or exists(words):
            if "+" not in words:
                found.append(_line(line, typed))
            elif typed:
                return _line(line, typed)
    return "\n".join(filter(None, found))


def _line(line: str, typed: Sequence[str]) -> str:
    """A line of the table with the arguments typed, or with the placeholder if they are none or too long."""
    text, _, note = line.partition(" | ")
    words: list[str] = []
    short: list[str] = []
    for each in text.split():
        place = each == "+" or each.endswith("…")
        words += (typed or [each.rstrip("…")]) if place else [each]
        short.append(each.rstrip("…").replace("+", "…") if place else each)
    full = command(*words, note=note)
    if full and len(full) <= _LONGEST:
        return full
    return "" if "…" in short else command(*short, note=note)


def _joined(*groups: Sequence[str]) -> str:
    return "\n".join(line for group in groups for line in group if line)


# -- options -------------------------------------------------------------------------------------------

_SECRETS = frozenset(
    (
        "token",
        "api-key",
        "apikey",
        "api-token",
        "auth",
        "auth-token",
        "bearer",
        "password",
        "secret",
        "authorization",
    )
)
_NO_TOKEN = "no option takes the token, because other users can read arguments; set MJ_TOKEN, or log in"  # noqa: S105

# Each entry: the option that the command must have (empty: none), and a sentence or a command; with neither,
# the option itself is meant. The first entry that fits the command counts.
_OPTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "wait sync block": (("--no-wait", "waiting is the default; --no-wait turns it off"),),
    "async background detach detached bg nowait no-block": (("--no-wait", ""),),
    "open show view preview display": (("--download", "mj open @last"),),
    "model model-version ver": (("--v", ""),),
    "count n num number num-images images samples batch-size": (
        ("--limit", ""),
        ("--repeat", "a job makes four images; --repeat N starts N jobs, each billed separately"),
    ),
    "max max-count top head tail first": (("--limit", ""),),
    "size width height dimensions orientation landscape portrait square": (
        ("--resolution", ""),
        ("--ar", "--ar W:H sets the proportions, such as --ar 3:2"),
    ),
    "ratio aspect-ratio aspectratio aspect_ratio proportions": (("--ar", ""),),
    "negative negative-prompt negative_prompt neg exclude without": (("--no", ""),),
    "creativity stylisation stylization": (("--stylize", ""),),
    "variety diversity": (("--chaos", ""),),
    "style-ref styleref reference ref": (("--sref", ""), ("--image", "")),
    "character character-ref char-ref": (("--cref", ""),),
    "image-weight": (("--iw", ""),),
    "personalise personalization personalisation": (("--p", ""),),
    "out outfile out-file output-file output-dir outdir out-dir dir directory save-to save-as dest destination folder"
    " path to filename": (("--output", ""),),
    "save dl": (("--download", ""),),
    "overwrite clobber replace": (("--force", ""),),
    "url img image-url input input-image init-image i": (("--image", ""),),
    "base-url api-url api-base endpoint server host": (("", "mj config set base_url URL"),),
    "proxy": (("", "set the environment variable HTTPS_PROXY to use a proxy"),),
    "config config-file conf": (("", "set the environment variable MJ_CONFIG to use another config file"),),
    "debug trace log log-level loud": (("--verbose", ""),),
    "silent no-progress no-output quite": (("--quiet", ""),),
    "format output-format": (("--json", ""),),
    "jq query": (("--search", ""), ("--field", "")),
    "filter grep": (("--search", ""),),
    "status": (("--state", ""),),
    "type": (("--kind", ""),),
    "upscale u1 u2 u3 u4": (
        ("--download", "mj upscale 1 @last"),
        ("--download", "mj action upscale1 @last"),
    ),
    "vary variation variations": (
        ("--download", "mj vary 1 @last"),
        ("--download", "mj action variation1 @last"),
    ),
    "prompt text words": (("--no-check", "the words of the prompt need no option"),),
    "file prompt-file from-file f": (("--ar", "mj imagine - < FILE"),),
    "simulate test dryrun preview-only": (("--dry-run", ""),),
    "retry": (("--retries", ""),),
    "callback webhook webhook-url notify": (("--callback-url", ""),),
    "speed": (("--mode", ""),),
    "slow": (("--relax", ""), ("--mode", "--mode relax is the slow mode")),
    "account user": (("--profile", ""),),
    "version": (("", "mj --version"),),
    "usage man": (("--help", ""),),
    "confirm assume-yes": (("--yes", ""),),
    "nocolor no-colour no-colors monochrome plain": (("--no-color", ""),),
}


def option(
    name: str, path: str, known_options: Collection[str], exists: Callable[[Sequence[str]], bool]
) -> Meant:
    """What an unknown option means; `name` has its dashes, `path` is the command, as in `mj imagine`."""
    bare = name.lstrip("-").lower()
    if asks_for_help(name):
        return Meant(hint=f"{path} --help")
    if bare in _SECRETS:
        return Meant(hint=f"{_NO_TOKEN}\n{command('auth', 'login')}")
    for needed, text in next((each for names, each in _OPTIONS.items() if bare in names.split()), ()):
        if needed and needed not in known_options:
            continue
        if not text:
            return Meant(f" Did you mean {needed}?", f"{path} --help")
        if not text.startswith("mj ") or exists(text.split()[1:]) or text == "mj --version":
            return Meant(hint=text)
    long = [each for each in known_options if each.startswith("--")]
    return Meant(did_you_mean(name, long), f"{path} --help")


def is_foreign_letter(argument: str, known_options: Collection[str]) -> bool:
    """Whether `-n` and the like are an option of other programs that this command has under another name."""
    if re.fullmatch("-[A-Za-z]", argument) is None or argument in known_options or known(argument[1:]):
        return False
    return any(argument[1:].lower() in names.split() for names in _OPTIONS)


_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def seconds(value: str) -> str | None:
    """A duration with a unit (`5m`) as a number of seconds; None for other texts."""
    found = re.fullmatch(r"([0-9]{1,6})\s?([a-z]+)", value.strip().lower())
    unit = _UNITS.get(found[2].removesuffix("utes").removesuffix("ute")) if found else None
    return str(int(found[1]) * unit) if found and unit else None


# -- references ----------------------------------------------------------------------------------------

_NEWEST = frozenset(("last", "latest", "newest", "recent"))
_WRAPPERS = "\"'`“”‘’«»<>()[]{} \t\r\n"
_LABEL = r"(?i)(?:task|image|job)?[ _-]?(?:id)?\s*[:=]\s*(\S+)"


def reference(text: str) -> str | None:
    """The reference that a misspelled one means (`last`, `@latest`, `2`, `#2`, `@0`); None for anything else."""
    bare = text.strip(_WRAPPERS).strip("@#").lower()
    if bare in _NEWEST:
        return "@last"
    number = bare.removeprefix("-")
    marked = text.strip(_WRAPPERS)[:1] in ("@", "#")
    if number.isascii() and number.isdecimal() and len(number) <= (9 if marked else 3):
        if bare.startswith("-") or int(number) == 0:
            return f"@{int(number)}" if int(number) > 1 else "@last"
        return f"@{int(number)}"
    return None


def identifier(text: str) -> str | None:
    """The id in a text that has quotes, brackets or a label around it; None if there is nothing to remove."""
    bare = text.strip(_WRAPPERS).rstrip(",.;")
    label = re.fullmatch(_LABEL, bare)
    bare = label[1].strip(_WRAPPERS) if label else bare
    return bare if bare and bare != text and re.fullmatch(r"@?[A-Za-z0-9_-]+", bare) else None


def id_in_link(link: str) -> str | None:
    """The UUID in the address of a page, if there is one."""
    found = re.search(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", link)
    return found[0].lower() if found else None
