"""Reference tables that do not follow from the commands: exit statuses, environment, settings, files.

They appear in the man page and in the README; words in backquotes are typed as they are.
"""

from __future__ import annotations

Rows = tuple[tuple[str, str], ...]

# Where tokens and the free quota come from.
CONSOLE_URL = "https://platform.acedata.cloud"

# The date of the version in `mjcli.__version__`, for the man pages.
RELEASE_DATE = "2026-11-22"

EXIT_STATUSES: Rows = (
    ("0", "Success."),
    ("1", "Internal error in mj."),
    (
        "2",
        "Usage error: invalid arguments, a prompt with errors, an invalid config file, an unknown reference,"
        " or a ledger or output directory that is not writable. Nothing was sent.",
    ),
    ("3", "No token, or the service rejected the token."),
    ("4", "The service refused the job, the job failed, or the task is unknown."),
    ("5", "No balance left, or still rate limited after all retries."),
    (
        "6",
        "The service could not be reached, or it reported a server error of its own. Nothing was accepted, so it is"
        " safe to retry.",
    ),
    (
        "7",
        "The job was still running at the deadline. Its task id is printed; `mj resume` continues to follow it.",
    ),
    ("8", "The job is done, but a file could not be saved."),
    (
        "9",
        "Outcome unknown: the request was sent, but its response was lost. The job may have been accepted and"
        " billed; `mj resume` searches again; it is never retried automatically.",
    ),
    (
        "10",
        "Some jobs of a batch failed. The same `mj batch` command continues it; with `--retry-failed` it also sends"
        " those that failed.",
    ),
    (
        "11",
        "A limit was reached: `--max-cost`, `--max-jobs` or `defaults.max_cost_per_day`. Nothing more was sent.",
    ),
    (
        "130, 143, 129, 141",
        "Interrupted by SIGINT, SIGTERM, SIGHUP or a closed output pipe. The task id, if known, is printed.",
    ),
)

ENVIRONMENT: Rows = (
    ("MJ_TOKEN", "API token. Overrides the token in the config file."),
    ("ACEDATACLOUD_API_TOKEN", "API token, if MJ_TOKEN is not set."),
    ("MJ_BASE_URL", "Base URL of the API."),
    ("MJ_FILES_URL", "URL of the file endpoint, where local images are uploaded."),
    ("MJ_FILES_TOKEN", "Token for a file endpoint that does not take the API token."),
    ("MJ_PLATFORM_TOKEN", "Platform token, for `mj balance` and `mj spend`."),
    ("MJ_PROFILE", "Profile to use from the config file. `--profile` overrides it."),
    ("MJ_CONFIG", "Path of the config file."),
    ("MJ_DATA_DIR", "Directory of the ledger and the sandbox's state."),
    ("MJ_OUTPUT_DIR", "Directory for downloads. `--output` overrides it."),
    ("MJ_SANDBOX", "Set to 1 to use the sandbox, like `--sandbox`."),
    ("NO_COLOR", "Set to any value to disable coloured output, like `--no-color`."),
    (
        "FORCE_COLOR, CLICOLOR_FORCE",
        "Set to 1 to colour help and messages even if they are not on a terminal. NO_COLOR overrides them.",
    ),
    ("CLICOLOR", "Set to 0 to disable coloured output, unless FORCE_COLOR or CLICOLOR_FORCE is set."),
    (
        "FORCE_HYPERLINK",
        "Set to 1 to make links on a terminal short and clickable, to 0 to show them whole, whichever terminal it is.",
    ),
    ("COLUMNS", "Width of the output in columns, instead of the terminal's."),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "Proxies for requests, and hosts to reach without one."),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "CA certificates to trust instead of the bundled ones."),
)

SETTINGS: Rows = (
    ("token", "API token of the profile. `mj auth login` saves it."),
    ("base_url", "Base URL of the API. Default: https://api.acedata.cloud"),
    (
        "token_in",
        "Where requests carry the token: `header` (default) or `query`, which some older hosts need.",
    ),
    ("files_url", "URL of the file endpoint. The default is `/files/upload` under `base_url`."),
    (
        "files_token",
        "Token for a file endpoint that does not take the API token. `mj auth login --files` saves it.",
    ),
    (
        "platform_url",
        "URL of the management API. Default: https://platform.acedata.cloud/api/v1, or `/api/v1` under a `base_url`"
        " on this machine.",
    ),
    ("platform_token", "Token for costs and balance. `mj auth login --platform` saves it."),
    ("defaults.mode", "Speed and price tier of jobs: `fast`, `relax` or `turbo`."),
    ("defaults.output", "Directory for downloads."),
    ("defaults.download", "`true` saves the files of every job, like `--download`."),
    ("defaults.suffix", "Text to append to every prompt, such as `--style raw`."),
    (
        "defaults.preview",
        "How images are shown in the terminal: `auto`, `kitty`, `iterm`, `sixel`, `blocks` or `off`.",
    ),
    (
        "defaults.max_cost_per_day",
        "The most that the jobs of a UTC day may cost, in USD. A job that would exceed it is not sent.",
    ),
    (
        "defaults.metadata",
        "Where the prompt and the ids of a saved image are written, like `--metadata`: `embed`, `sidecar` or `off`"
        " (default).",
    ),
    ("presets.NAME.suffix", "Text that `--preset NAME` appends to the prompt."),
    (
        "profiles.NAME.KEY",
        "`base_url`, `token_in`, `files_url` or `platform_url` of a profile other than the active one.",
    ),
)

FILES: Rows = (
    (
        "config.toml",
        "Profiles, defaults and presets, in the user's config directory for mj; `mj config path` prints the"
        " path. Its mode is 0600, in a directory of mode 0700.",
    ),
    ("ledger.db", "The ledger, a record of every job, in the user's data directory for mj."),
    ("ledger.db.before-N", "A copy of the ledger from before its migration to version N."),
    (
        "thumbnails/",
        "The thumbnails of `mj gallery`, by the SHA-256 digest of the picture; they can be deleted.",
    ),
    ("sandbox.db", "The tasks and images of the sandbox, next to the ledger."),
)

ACTIONS: Rows = (
    ("upscale1 … upscale4", "`mj upscale 1`, `U1`: one image of a grid, by itself."),
    ("variation1 … variation4", "`mj vary 1`, `V1`: four variations of one image of a grid."),
    ("reroll", "`mj reroll`: a new grid from the same prompt."),
    ("upscale_2x, upscale_4x", "`mj upscale 2x`: a single image, two or four times as large."),
    (
        "variation_subtle, variation_strong",
        "`mj vary subtle`: slight or strong variations of a single image.",
    ),
    ("variation_region", "`mj vary region`: redraws what `--mask` or `--region` selects."),
    ("zoom_out_1_5x, zoom_out_2x", "`mj zoom 2`: a single image drawn smaller, in a wider scene."),
    ("pan_left, pan_right, pan_up, pan_down", "`mj pan left`: a single image extended to that side."),
)

PLACEHOLDERS: Rows = (
    ("{prompt}", "The prompt, shortened to a file name."),
    ("{image_id}", "The id of the image."),
    ("{task_id}", "The id of the task."),
    ("{action}", "The action that made the image, such as `upscale4`."),
    ("{index}", "The number of the file within the job."),
    ("{date}", "The local date of the job."),
    ("{ext}", "The extension of the actual file type; appended to a name without an extension."),
)

ROOT_DESCRIPTION: tuple[str, ...] = (
    "Global options may come before or after the command. Results go to standard output; progress, notices"
    " and errors go to standard error.",
    "Options override environment variables, which override the config file.",
)

ROOT_EXAMPLES: tuple[str, ...] = (
    "# Create an image and save it",
    'mj imagine "a lighthouse in a storm" --download',
    "# Upscale the fourth image of the grid",
    "mj upscale 4",
    "# Try everything without an account, for free",
    'mj --sandbox imagine "a cat"',
    "# Use the link in a script",
    'url=$(mj imagine "a cat" --quiet)',
)

# `mj` alone: what to type, with what it does, in columns that fit a narrow terminal.
START_SANDBOX = 'mj --sandbox imagine "a cat" --download'
START_LOGIN = "mj auth login"
START_COMMANDS: Rows = (
    ('mj imagine "a cat" -d', "Make and save images"),
    ("mj upscale 4", "Upscale the fourth"),
    ("mj history", "List your jobs"),
    ("mj open", "Show the newest image"),
    ("mj doctor", "Check your setup"),
)

# The options that most people use, in the order of the help; of commands with many options only.
COMMON_OPTIONS: tuple[str, ...] = (
    "--download", "--output", "--image", "--mode", "--preset", "--no-wait", "--dry-run",
)  # fmt: skip

# The prompt parameters in a few words, for the table in the help: the value's name (empty: as it is) and the meaning.
PARAMETER_WORDS: dict[str, tuple[str, str]] = {
    "--version": ("N", "model version"),
    "--niji": ("N", "anime model"),
    "--aspect": ("", "aspect ratio"),
    "--quality": ("N", "quality"),
    "--hd": ("", "high definition"),
    "--sd": ("", "standard, not HD"),
    "--stylize": ("", "style, 0-1000"),
    "--chaos": ("", "variety, 0-100"),
    "--weird": ("", "weirdness, 0-3000"),
    "--seed": ("", "initial noise"),
    "--stop": ("", "stop at 10-100 %"),
    "--repeat": ("", "1-40 paid jobs"),
    "--no": ("", "what to exclude"),
    "--style": ("STYLE", "raw or niji's"),
    "--raw": ("", "--style raw"),
    "--iw": ("", "image weight, 0-3"),
    "--sref": ("", "style reference"),
    "--sw": ("", "weight of --sref"),
    "--sv": ("", "version of --sref"),
    "--cref": ("", "character image"),
    "--cw": ("", "weight of --cref"),
    "--oref": ("", "omni reference"),
    "--ow": ("", "weight of --oref"),
    "--exp": ("", "aesthetics, 0-100"),
    "--p": ("", "or --personalize"),
    "--tile": ("", "seamless pattern"),
    "--draft": ("", "draft mode"),
    "--video": ("", "video of progress"),
    "--fast": ("", "fast mode"),
    "--relax": ("", "relax mode"),
    "--turbo": ("", "turbo mode"),
    "--stealth": ("", "hide from gallery"),
    "--public": ("", "show in gallery"),
}
