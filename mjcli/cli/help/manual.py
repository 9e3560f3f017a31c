"""The prose of the manual: sections of mj(1), and additional sections of the pages of single commands.

Plain data; words in backquotes are typed as they are.
"""

from __future__ import annotations

from typing import NamedTuple

from mjcli.cli.help.facts import ACTIONS, ENVIRONMENT, EXIT_STATUSES, FILES, PLACEHOLDERS, SETTINGS, Rows
from mjcli.prompt.parameters import PARAMETERS, Parameter


class Items(NamedTuple):
    """A list of labels and their explanations."""

    rows: Rows


class Example(NamedTuple):
    """Lines to type, shown as they are."""

    lines: tuple[str, ...]


class Section(NamedTuple):
    """A section with a heading; a block that is a string is a paragraph."""

    title: str
    blocks: tuple[str | Items | Example, ...]


def parameter_rows() -> Rows:
    """Each prompt parameter with its value, and its meaning with the versions that know it."""
    return tuple(
        (
            ", ".join(f"--{spelling}" for spelling in parameter.spellings)
            + ("" if parameter.flag else f" {parameter.metavar}"),
            " ".join([parameter.help, *_versions(parameter)]),
        )
        for parameter in PARAMETERS
    )


def _versions(parameter: Parameter) -> list[str]:
    """Sentences about the versions that know a parameter, if not all do."""
    sentences = []
    if parameter.since is not None and parameter.since not in ("5", "5.1"):  # older than all that are offered
        sentences.append(f"Since version {parameter.since}.")
    if parameter.only:
        sentences.append(f"Only versions {' and '.join(parameter.only)}.")
    if parameter.never:
        sentences.append(f"Not in version {' and '.join(parameter.never)}.")
    return sentences


_OUTPUT = Section(
    "OUTPUT",
    (
        "Standard output carries the result and nothing else. Progress, notices, warnings and errors go to"
        " standard error. On a terminal, a progress bar shows the running job, and the result lists"
        " the saved files, the image's link, size, actions and ids, and the next command. Links are short and"
        " can be clicked where the terminal supports that, and actions are grouped."
        " Elsewhere, the result is plain `name: value` lines without colour or wrapping, with whole links and the"
        " service's names of the actions.",
        Items(
            (
                (
                    "--json",
                    "Prints JSON Lines: one object on one line for each item requested, in UTF-8. The object of"
                    " a job is the service's own final object, with every field as received, plus `files`, the"
                    " absolute paths of the saved files. With an explicit `--stream`, every event is one line,"
                    " and the result is the last line. A failure is also one object:"
                    ' `{"success": false, "error": {"code", "message"}}`, with `task_id` and `trace_id` if known.'
                    " Its code is the service's, or `usage`, `no_token`, `network`, `timeout`, `interrupted`,"
                    " `download`, `config` or `internal`.",
                ),
                (
                    "--field PATH",
                    "Prints only one field of the `--json` output, without quotes, like `jq -r`. PATH is a"
                    " field name, with dots and indexes for nested fields: `raw_image_url`, `error.code`,"
                    " `files[0]`.",
                ),
                (
                    "--quiet",
                    "Prints the saved files, else the link of the image, else the task id, one per line."
                    " Standard error carries only errors and urgent warnings.",
                ),
                (
                    "--verbose",
                    "Prints more details to standard error, and a traceback for an internal error.",
                ),
            )
        ),
        "Control characters in prompts, messages and file names are escaped, so they cannot affect the"
        " terminal. The token is never printed, and is sent only to the API's host.",
    ),
)

_CONFIGURATION = Section(
    "CONFIGURATION",
    (
        "Each setting comes from the first of these that has it: the option, the environment variable, the"
        " active profile or the defaults in the config file, the built-in default. `mj config list` shows"
        " every value and its source.",
        "The config file is TOML. `mj config set KEY VALUE` changes a key of the active profile, or any dotted"
        " key, and preserves comments. `--profile NAME` or `MJ_PROFILE` selects a profile; without them it is"
        " `default`. These are the keys:",
        Items(SETTINGS),
        Example(
            (
                "mj config set defaults.mode relax",
                "mj config set defaults.output ~/Pictures/mj",
                'mj config set presets.poster.suffix "--ar 2:3 --style raw"',
                "mj auth login --profile work",
            )
        ),
        "No option takes the token itself, because other users can read the arguments of a running program."
        " `mj auth login` prompts for it without echo or reads it from a pipe.",
    ),
)

_FILES = Section(
    "FILES",
    (
        Items(FILES),
        "`--download` saves the full-size image (or all images of `--split-images`, or the videos) in the"
        " current directory, or in the directory of `MJ_OUTPUT_DIR` or `defaults.output`. The default name is"
        " `{prompt}_{image_id}.{ext}`. `--output` takes another directory, or a file name; both may contain these"
        " placeholders, as in `{date}/{prompt}/{index}.{ext}`:",
        Items(PLACEHOLDERS),
        "`--output -` writes the bytes of one image to standard output, once it is complete. It cannot be"
        " combined with `--json`, `--field`, several files or a terminal, and `mj resume` never does it.",
        "Names from the service are sanitised and never select the directory. A file is written under a"
        " temporary name, checked, and renamed when it is complete. An interrupted download continues where it"
        " stopped, if the server confirms that the file is the same. A complete result is saved whatever its"
        " format, with a notice if its format is unknown or its name contradicts it.",
        "A file belongs to a job. A file that is already the job's, or has the same bytes, is kept and reported."
        " A name that something else uses is refused before the request if it can be known by then; otherwise"
        " the new file gets a number (`cat-2.png`). `--force` replaces existing files. `--max-size` limits the"
        " size of each file.",
    ),
)

_PROMPT = Section(
    "PROMPT PARAMETERS",
    (
        "Prompt parameters end the prompt, in quotes or not: `mj imagine a cat --ar 16:9` and"
        ' `mj imagine "a cat --ar 16:9"` are the same. From the first parameter on, each one takes the words that'
        " belong to it: `--no` all of them, `--tile` none, most others one. A parameter before the words takes one"
        " argument. Options of mj may stand anywhere; they end a `--no`. If a parameter is repeated, the last one"
        " counts, and one that takes several values gets all of them. Every value is checked before anything is"
        " sent; `mj check` only checks. Midjourney's `--profile` is `--p` as an option.",
        Items(parameter_rows()),
    ),
)

_REFERENCES = Section(
    "REFERENCES",
    (
        "Arguments that name an image, a job or a task accept:",
        Items(
            (
                ("an id", "The id of an image, task or job, even if it is not in the ledger."),
                (
                    "an id prefix",
                    "The first characters of an id in the ledger, at least four, if unambiguous.",
                ),
                ("@last, @1", "The newest job of the profile."),
                ("@2, @3, …", "The job in that row of `mj history`, whatever its type."),
                ("-", "One id or reference per line of standard input."),
            )
        ),
        "References count the jobs of the active profile. The sandbox has its own: `mj --sandbox history`.",
    ),
)

_ACTIONS = Section(
    "ACTIONS",
    (
        "The number of an action is the place in the grid: 1 is top left, 2 top right, 3 bottom left, 4 bottom"
        " right. Each result lists the actions that its image offers.",
        Items(ACTIONS),
        "Upscaling an image of a grid is faster than a variation of it.",
        "Case does not matter, and a hyphen or space stands for an underscore. The image may come before the"
        " action. `--version`, `--quality` and `--hd` are sent as fields of the request, if they are given. New"
        ' words (`mj vary strong @last "at night"`) are sent as the prompt of a variation, zoom or pan; the'
        " service may refuse them.",
    ),
)

_JOBS = Section(
    "JOBS AND BILLING",
    (
        "The intermediate images of a running job are deleted when the job ends. The links of its result expire"
        " after 30 days; `mj download` requests fresh ones.",
        "The API token and the free quota of a new account come from the console,"
        " https://platform.acedata.cloud; `mj auth login` saves the token.",
        "The service bills a job when it succeeds. Sending the same prompt twice makes two jobs. So mj"
        " never resends a request that may have been accepted:",
        Items(
            (
                (
                    "Before sending",
                    "Every job is written to the ledger first. If that fails, nothing is sent. `--no-ledger`"
                    " skips the ledger; such a job cannot be resumed.",
                ),
                (
                    "Retries",
                    "A request is retried only if it cannot have been accepted: there was no connection, or the"
                    " service answered with too many requests. `--retries N` limits this.",
                ),
                (
                    "Lost responses",
                    "If the response to a request is lost, mj searches the account's recent tasks for the job"
                    " and follows it if there is exactly one match. Otherwise the exit status is 9.",
                ),
                (
                    "Job keys",
                    "With `--key NAME` a command can be run again at any time, also by make, GNU parallel or a"
                    " scheduler. If a job of the profile has the key, the command joins it: a finished job is"
                    " printed from the ledger, a running one is followed, one with an unknown outcome is searched"
                    " for, and one that was never accepted is sent. A failed job is reported again until"
                    " `--retry-failed` is given. The same key with other words, references, mode or version is"
                    " an error.",
                ),
                (
                    "Costs and limits",
                    "Each command ends with what its jobs cost: what was charged, if there is a platform token,"
                    " else an estimate. `--max-cost`, `--max-jobs` and `defaults.max_cost_per_day` refuse a job"
                    " that would exceed them, or whose price is not known (exit status 11). The daily limit"
                    " holds for all jobs of the data directory in a UTC day; jobs that are running or unknown"
                    " count, jobs that failed do not.",
                ),
            )
        ),
        "`mj resume` follows every unfinished job and saves the requested files. It is safe to run at any time,"
        " repeatedly and in parallel. These are the cases:",
        Items(
            (
                (
                    "Ctrl-C, or a closed terminal, while a job runs",
                    "The job continues at the service and is billed if it succeeds. `mj resume` follows it.",
                ),
                (
                    "Ctrl-C before the request is sent",
                    "The job is marked as failed; nothing is billed. `mj resume ID` sends it anyway.",
                ),
                (
                    "SIGTERM, SIGHUP or a crash before the request is sent",
                    "The job stays in the ledger and nothing is billed. `mj resume` sends it; on a terminal it"
                    " asks first.",
                ),
                (
                    "Crash, sleep or network loss while a job runs",
                    "The job continues at the service and is billed if it succeeds. `mj resume` follows it.",
                ),
                (
                    "Deadline (exit status 7)",
                    "Without `--timeout`, mj waits 900 seconds. The job continues at the service and is billed"
                    " if it succeeds. `mj resume` follows it.",
                ),
                (
                    "Outcome unknown, no task found (exit status 9)",
                    "The job may have been accepted and billed. `mj resume` searches again. `mj resume ID"
                    " --resubmit` sends it again and may be billed twice. `mj resume ID --give-up` stops"
                    " searching.",
                ),
                (
                    "Outcome unknown, several tasks match (exit status 9)",
                    "`mj describe-task ID ID` shows them; `mj resume ID --task TASK` selects the right one.",
                ),
                (
                    "Done without an image (exit status 9)",
                    "The service reported success but no image. The job is probably billed. `mj resume`"
                    " queries the task again.",
                ),
                (
                    "File not saved (exit status 8)",
                    "The job is done and billed once. Free some space, then `mj resume`.",
                ),
                ("Expired link", "`mj download` requests a fresh link. This is free."),
                ("Job refused or failed (exit status 4)", "Nothing is billed."),
                (
                    "No balance, rate limited or service unreachable (exit status 5 or 6)",
                    "The job was not accepted and nothing is billed. Run the command again later.",
                ),
                (
                    "Ledger not writable or locked (exit status 2)",
                    "Nothing was sent. Free some space, set `MJ_DATA_DIR`, or wait for the other program.",
                ),
                (
                    "Damaged ledger",
                    "A damaged job is skipped with a warning. A file that is damaged as a whole is renamed and a"
                    " new ledger is created. `mj tasks --import` adds the earlier jobs to it.",
                ),
            )
        ),
    ),
)

# The sections of mj(1) between GLOBAL OPTIONS and EXAMPLES.
SECTIONS: tuple[Section, ...] = (
    _OUTPUT,
    Section("EXIT STATUS", (Items(EXIT_STATUSES),)),
    Section("ENVIRONMENT", (Items(ENVIRONMENT),)),
    _CONFIGURATION,
    _FILES,
    _PROMPT,
    _REFERENCES,
    _JOBS,
)

_CHECKS = Section(
    "PROMPT CHECKS",
    (
        "The prompt is checked before anything is sent. Errors cause exit status 2. Warnings do not, because"
        " the rules of each version are not fully documented; with `--strict` they are errors. `--no-check`"
        " sends the prompt as it is.",
        "Long dashes, curly quotes, unusual spaces and full-width characters in parameters are replaced, with a"
        " notice. The words are never changed.",
        "Links are checked for at most three seconds. A page instead of an image, a missing image or an"
        " unsupported type is an error; a link that could not be checked is a warning.",
    ),
)

_UPLOADS = Section(
    "LOCAL IMAGES",
    (
        "An image file (PNG, JPEG, WebP or GIF, at most 25 MB) is uploaded to the API with the API token. The"
        " link lives for 7 days and serves only your account. mj remembers it, and uploads the same content"
        " again only after it has expired or for another account.",
        "`files_url` or `MJ_FILES_URL` sets another file endpoint. The API token is sent there only if it is the"
        " API's own host; `mj auth login --files` or `MJ_FILES_TOKEN` sets a token of its own. With such a token"
        " and no `files_url`, files go to https://platform.acedata.cloud/api/v1/files/.",
    ),
)

_PRESETS = Section(
    "PRESETS",
    (
        "`--preset NAME` appends the text of `presets.NAME.suffix` to the prompt. The command line overrides"
        " presets, later presets override earlier ones, and presets override `defaults.suffix`. `mj check` shows"
        " the complete prompt and the source of each part.",
    ),
)

_PERMUTATIONS = Section(
    "PERMUTATIONS",
    (
        "With `--permute`, each combination of the choices in braces is a job of its own:",
        Example(('mj imagine "a {red, green} bird --ar {1:1, 16:9}" --permute',)),
        "This starts four jobs. On a terminal, mj lists them and asks for confirmation; more than 40 need"
        " `--yes`. A backslash before a brace or comma keeps it.",
    ),
)

_CALLBACKS = Section(
    "CALLBACKS",
    (
        "With `--callback-url`, the service responds with a task id and posts the result to that URL when the"
        " job ends. mj listen receives these callbacks and prints the URL to pass. The service must be able to"
        " reach it: behind a tunnel, pass its address as `--public-url`.",
        "Callbacks are not signed. The URL contains a random part, and the result in a callback is confirmed"
        " with the tasks endpoint, unless `--trust` is given. Confirmed results are stored in the ledger before"
        " the sender gets a response. Tasks whose callback does not arrive are queried from time to time.",
        "With `--json`, each callback is the service's object on one line, with `event` (`progress`, `success`"
        " or `failure`), `confirmed` and `files`.",
    ),
)

_SPLITTING = Section(
    "SPLITTING GRIDS",
    (
        "`--split-images` asks the service for the four images of a grid. `--split` cuts them out of the"
        " downloaded grid on this machine, free of charge, numbered as in `upscale1` to `upscale4`. It needs"
        ' Pillow: `pip install "mjcli[images]"`.',
    ),
)

# Additional sections of the pages of single commands.
COMMAND_SECTIONS: dict[str, tuple[Section, ...]] = {
    "imagine": (_CHECKS, _UPLOADS, _PRESETS, _PERMUTATIONS, _SPLITTING),
    "upscale": (_ACTIONS,),
    "vary": (_ACTIONS,),
    "reroll": (_ACTIONS,),
    "zoom": (_ACTIONS,),
    "pan": (_ACTIONS,),
    "action": (_ACTIONS,),
    "blend": (_CHECKS, _UPLOADS),
    "edit": (_CHECKS, _UPLOADS),
    "check": (_CHECKS, _PRESETS),
    "download": (_SPLITTING,),
    "listen": (_CALLBACKS,),
}
