"""The options that commands share, in small sets; each is declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

FILES_PANEL = "Files"
PROMPT_PANEL = "Prompt"
WAIT_PANEL = "Waiting"

# -- files -----------------------------------------------------------------------------------------

OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Directory or file name to save to; may contain {prompt}, {image_id}, {task_id}, {action}, "
        "{index}, {date}, {ext}.",
        rich_help_panel=FILES_PANEL,
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace existing files.", rich_help_panel=FILES_PANEL)
]
SplitOption = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Split the grid into four images (Pillow); implies --download.",
        rich_help_panel=FILES_PANEL,
    ),
]


MaxSizeOption = Annotated[
    str | None,
    typer.Option(
        "--max-size",
        metavar="SIZE",
        help="Largest file to download, such as 10M or 2G (default 2G).",
        rich_help_panel=FILES_PANEL,
    ),
]


MetadataOption = Annotated[
    Literal["embed", "sidecar", "off"] | None,
    typer.Option(
        "--metadata",
        help="Write prompt and ids into the images, or into NAME.json; implies --download.",
        rich_help_panel=FILES_PANEL,
    ),
]


class FileOptions(NamedTuple):
    """Whether and where files are saved."""

    download: Annotated[
        bool | None,
        typer.Option(
            "--download/--no-download",
            "-d",
            help="Save the images; --output implies it.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None
    output: OutputOption = None
    force: ForceOption = False
    max_size: MaxSizeOption = None
    metadata: MetadataOption = None

    @property
    def wants_metadata(self) -> bool:
        """Whether the options say that metadata is saved, so that files are."""
        return self.metadata in ("embed", "sidecar")


# -- jobs ------------------------------------------------------------------------------------------

Mode = Literal["fast", "relax", "turbo"]

RetriesOption = Annotated[
    int,
    typer.Option(min=0, max=20, metavar="N", help="Retries for requests that were not accepted."),
]
HostOption = Annotated[
    str,
    typer.Option(
        "--host", metavar="ADDRESS", help="Address to receive callbacks at.", rich_help_panel=WAIT_PANEL
    ),
]
PortOption = Annotated[
    int,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        metavar="N",
        help="Port to receive callbacks on; 0 picks a free one.",
        rich_help_panel=WAIT_PANEL,
    ),
]
PublicUrlOption = Annotated[
    str | None,
    typer.Option(
        "--public-url",
        metavar="URL",
        help="Public URL of the tunnel or proxy to --host and --port.",
        rich_help_panel=WAIT_PANEL,
    ),
]


class SubmitOptions(NamedTuple):
    """What every command that sends a request takes."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request as a curl command; send nothing.")
    ] = False
    retries: RetriesOption = 3
    no_ledger: Annotated[
        bool, typer.Option("--no-ledger", help="Do not record the job; mj cannot find it later.")
    ] = False
    key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Join the job with this key if there is one; else the job gets it."
        ),
    ] = None
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, metavar="USD", help="Send nothing if the jobs may cost more."),
    ] = None
    max_jobs: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Send nothing if there are more jobs.")
    ] = None
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Send the job of --key again if it failed.")
    ] = False
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=604_800,
            metavar="SECONDS",
            help="Deadline (default 900); if given, also the job's own timeout.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None


PreviewOption = Annotated[
    Literal["auto", "kitty", "iterm", "sixel", "blocks", "off"] | None,
    typer.Option("--preview", help="How to show images in the terminal (default auto).", show_default=False),
]


class WaitOptions(NamedTuple):
    """How a job that takes a while is waited for."""

    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Stream progress (default; an explicit --stream also prints every event with --json).",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Print the task id and exit.", rich_help_panel=WAIT_PANEL),
    ] = False
    callback_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="URL to send the result to; prints the task id and exits.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = None
    listen: Annotated[
        bool,
        typer.Option(
            "--listen",
            help="Receive the result as a callback in this command.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = False
    host: HostOption = "127.0.0.1"
    port: PortOption = 0
    public_url: PublicUrlOption = None
    notify: Annotated[
        bool,
        typer.Option(
            "--notify",
            help="Ring the terminal's bell, or notify, when the job ends.",
            rich_help_panel=WAIT_PANEL,
        ),
    ] = False
    preview: PreviewOption = None
    keep_steps: Annotated[
        bool,
        typer.Option(
            "--keep-steps",
            help="Save the intermediate images, too; implies --download.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = False
    timelapse: Annotated[
        Literal["webp", "gif"] | None,
        typer.Option(
            "--timelapse",
            help="Animate the intermediate images (Pillow); implies --download.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = None
    open: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Open the saved file, else the link, at the end.",
            rich_help_panel=FILES_PANEL,
        ),
    ] = False


class ImageOptions(NamedTuple):
    """How images are made."""

    mode: Annotated[Mode | None, typer.Option(help="Speed and price tier.")] = None
    split_images: Annotated[
        bool | None,
        typer.Option(
            "--split-images/--no-split-images", help="Also return the four images of a grid separately."
        ),
    ] = None


class MaskOptions(NamedTuple):
    """Which part of an image is redrawn."""

    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask", metavar="FILE", help="Greyscale image, white where to redraw (PNG, JPEG or WebP)."
        ),
    ] = None
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="X,Y,W,H",
            help="Rectangle to redraw, X,Y,W,H in pixels or percent (repeatable).",
        ),
    ] = None


NewWordsOption = Annotated[
    str | None,
    typer.Option("--prompt", metavar="TEXT", help="New words for a variation, zoom or pan."),
]


class ConfirmOptions(NamedTuple):
    """Whether several jobs are started without asking."""

    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Start several jobs without asking; needed for more than 40."),
    ] = False


VideoMode = Annotated[Literal["fast", "turbo"] | None, typer.Option("--mode", help="Speed and price tier.")]


class VideoOptions(NamedTuple):
    """How videos are made."""

    end_image: Annotated[
        str | None,
        typer.Option("--end-image", metavar="IMAGE", help="Last frame of the video."),
    ] = None
    resolution: Annotated[Literal["480p", "720p"] | None, typer.Option(help="Resolution of the video.")] = (
        None
    )
    loop: Annotated[
        bool | None, typer.Option("--loop/--no-loop", help="End the video on its first frame.")
    ] = None


# -- prompts ---------------------------------------------------------------------------------------

ImageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        metavar="IMAGE",
        help="Image prompt (up to five): link, file, @last, id or - (stdin).",
    ),
]
Translation = Annotated[
    bool | None,
    typer.Option("--translation/--no-translation", help="Let the service translate the prompt into English."),
]


StyleReference = Annotated[
    bool | None,
    typer.Option("--style-reference/--no-style-reference", help="Use style references (costs more)."),
]
Moodboard = Annotated[
    bool | None,
    typer.Option("--moodboard/--no-moodboard", help="Use a moodboard (costs more)."),
]


class PromptOptions(NamedTuple):
    """What is added to a prompt, and how many jobs it makes."""

    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Preset to append to the prompt (repeatable; the last wins).",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = None
    permute: Annotated[
        bool,
        typer.Option(
            "--permute",
            help="Start a job for each choice in {braces}; \\ escapes { } and ,",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Start --permute jobs without asking; needed for more than 40.",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False


class CheckOptions(NamedTuple):
    """How strictly a prompt is checked."""

    strict: Annotated[
        bool, typer.Option("--strict", help="Treat warnings as errors.", rich_help_panel=PROMPT_PANEL)
    ] = False
    no_check: Annotated[
        bool,
        typer.Option(
            "--no-check",
            help="Send the prompt without checking it or its images.",
            rich_help_panel=PROMPT_PANEL,
        ),
    ] = False
