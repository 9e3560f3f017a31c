"""What the reference says beside the commands: exit statuses, environment, files, first examples."""

from __future__ import annotations

# The day of the version in `mjcli.__version__`, for the man pages.
RELEASE_DATE = "2026-11-22"

EXIT_STATUSES: tuple[tuple[str, str], ...] = (
    ("0", "Done."),
    ("1", "A fault of mj itself."),
    (
        "2",
        "Usage: arguments, a prompt that the checker refuses, a broken config file, an unknown reference,"
        " a ledger or output directory that cannot be written. Nothing was sent.",
    ),
    ("3", "There is no token, or the service refused it."),
    ("4", "The service refused the job, the job failed, or the task is unknown."),
    ("5", "No balance is left, or still rate limited after the retries."),
    ("6", "The service could not be reached and nothing was accepted: trying again is safe."),
    (
        "7",
        "Still running when --timeout ended or the wait was given up."
        " The task id is printed, and how to take it up again.",
    ),
    ("8", "The job is done but a file could not be saved."),
    (
        "9",
        "Outcome unknown: the request left and its answer was lost. It may have been accepted;"
        " mj resume looks again, and nothing sends it a second time by itself.",
    ),
    (
        "130, 143, 129, 141",
        "SIGINT, SIGTERM, SIGHUP, a closed output pipe. The task id, where known, is printed first.",
    ),
)

ENVIRONMENT: tuple[tuple[str, str], ...] = (
    ("MJ_TOKEN", "The API token; takes precedence over the config file."),
    ("ACEDATACLOUD_API_TOKEN", "The API token, when MJ_TOKEN is not set."),
    ("MJ_BASE_URL", "The address of the API."),
    ("MJ_FILES_URL", "The address that local pictures are uploaded to."),
    ("MJ_FILES_TOKEN", "The token for that address, where it wants one of its own."),
    ("MJ_PROFILE", "The profile of the config file to use."),
    ("MJ_CONFIG", "The config file to read in place of the user's own."),
    ("MJ_DATA_DIR", "The directory of the ledger and of the sandbox's state."),
    ("MJ_OUTPUT_DIR", "The directory that downloads are saved in."),
    ("MJ_SANDBOX", "Set to 1: use the embedded stand-in of the service, as --sandbox does."),
    ("NO_COLOR", "Set to anything: do not colour the output."),
    ("FORCE_COLOR", "Set to anything: colour the output even when it is no terminal."),
    ("COLUMNS", "The width of the output, in place of the terminal's own."),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for requests, and the hosts to reach without it.",
    ),
    ("SSL_CERT_FILE", "The certificates to trust, in place of the built-in ones."),
)

FILES: tuple[tuple[str, str], ...] = (
    (
        "config.toml",
        "Profiles, defaults and presets, in the user's config directory for mj;"
        " mj config path prints where. Only its owner can read it.",
    ),
    ("ledger.db", "The record of every job, in the user's data directory for mj."),
)

ROOT_DESCRIPTION: tuple[str, ...] = (
    "An option for every command may stand before or after the command's name. The answer goes to standard"
    " output; progress, notices and errors go to standard error.",
    "Settings are taken from options, then from the environment, then from the profile in the config file.",
)

ROOT_EXAMPLES: tuple[str, ...] = (
    "# Make an image and save it",
    'mj imagine "a lighthouse in a storm" --download',
    "# Take the fourth picture of it further",
    "mj action upscale4 @last",
    "# Try everything without an account; nothing is paid",
    'mj --sandbox imagine "a cat"',
    "# Script it",
    'url=$(mj imagine "a cat" --quiet)',
)
