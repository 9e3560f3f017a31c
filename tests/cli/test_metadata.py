"""`--metadata`: what is written about saved images, and files that are known by their content or their metadata."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from mjcli.media.carriers import packet_in
from mjcli.media.metadata import read_file
from mjcli.media.xmp import parse
from tests.support.downloads import digest
from tests.support.engines import installed
from tests.support.images import WHOLE
from tests.support.ledger import change, rows
from tests.support.program import Mj
from tests.support.service import Service
from tests.support.systems import posix

NAME = "a-cat_image-1"
ABOUT = {"image_id": "image-1", "task_id": "task-1"}


def picture(kind: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    PIL.Image.effect_noise((32, 32), 80).save(written, kind, **options)
    return written.getvalue()


IMAGE = picture()


@pytest.fixture
def painter(online: Mj, service: Service) -> Mj:
    """The program, with a service that has made one image."""
    service.files["/files/cat.png"] = IMAGE
    service.answer(service.result(**ABOUT))
    return online


def packet(file: Path | str) -> dict[str, list[str]]:
    """What the metadata in a file says."""
    found = packet_in(Path(file).read_bytes())
    return parse(found).properties if found is not None else {}


def imagine(mj: Mj, *options: str, prompt: tuple[str, ...] = ("a cat --ar 3:2 --v 7 --seed 5",)) -> Path:
    """Save the image of a job."""
    (saved,) = mj("imagine", *prompt, "--download", *options, "--json").answer["files"]
    return Path(saved)


def edited(file: Path) -> Path:
    """A copy with other pixels and the same metadata, as image editors write it."""
    copy = file.with_name("edited.jpg")
    with PIL.Image.open(file) as image:
        found = packet_in(file.read_bytes())
        image.convert("RGB").rotate(90).save(copy, xmp=found)
    return copy


# -- what is written -------------------------------------------------------------------------------


def test_without_the_option_the_bytes_are_saved_unchanged(painter: Mj) -> None:
    file = imagine(painter)
    assert file.read_bytes() == IMAGE
    assert [each.name for each in painter.cwd.iterdir()] == [f"{NAME}.png"]


def test_embed_writes_the_provenance_into_the_file(painter: Mj, service: Service) -> None:
    file = imagine(painter, "--metadata", "embed")
    ((uuid, hashes, received),) = rows(painter, "uuid, files_sha256, files_received_sha256")
    found = packet(file)
    assert (
        found["dc:description"]
        == found["Iptc4xmpExt:AIPromptInformation"]
        == ["a cat --ar 3:2 --v 7 --seed 5"]
    )
    assert found["Iptc4xmpExt:DigitalSourceType"] == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    ]
    assert {name: found[f"mj:{name}"] for name in ("Host", "Job", "TaskID", "ImageID", "Action", "Seed")} == {
        "Host": [service.base_url],
        "Job": [uuid],
        "TaskID": ["task-1"],
        "ImageID": ["image-1"],
        "Action": ["generate"],
        "Seed": ["5"],
    }
    assert found["Iptc4xmpExt:AISystemVersionUsed"] == ["7"]
    assert found["mj:Parameters"] == ["--ar 3:2 --v 7 --seed 5"]
    assert json.loads(hashes) == [digest(file.read_bytes())]
    assert json.loads(received) == [digest(IMAGE)]
    with PIL.Image.open(file) as ours, PIL.Image.open(io.BytesIO(IMAGE)) as theirs:
        assert ours.tobytes() == theirs.tobytes()


def test_the_option_alone_saves_the_image(painter: Mj) -> None:
    painter("imagine", "a cat", "--metadata", "embed")
    assert packet(painter.cwd / f"{NAME}.png")


def test_a_sidecar_has_the_same_and_the_image_is_unchanged(painter: Mj) -> None:
    file = imagine(painter, "--metadata", "sidecar")
    assert file.read_bytes() == IMAGE
    document = json.loads((painter.cwd / f"{NAME}.png.json").read_text(encoding="utf-8"))
    assert (document["prompt"], document["version"], document["seed"], document["task_id"]) == (
        "a cat --ar 3:2 --v 7 --seed 5", "7", "5", "task-1",
    )  # fmt: skip


@pytest.mark.slow
def test_the_setting_applies_where_the_option_is_not_given(painter: Mj, service: Service) -> None:
    painter("config", "set", "defaults.metadata", "embed")
    assert packet(imagine(painter))
    service.answer(service.result(image_id="image-2", task_id="task-2"))
    assert imagine(painter, "--metadata", "off").read_bytes() == IMAGE
    service.answer(service.result(image_id="image-3", task_id="task-3"))
    painter("imagine", "a dog")
    assert len(list(painter.cwd.iterdir())) == 2, "a setting alone does not save"
    assert "embed, sidecar or off" in painter("config", "set", "defaults.metadata", "xmp", check=2).err


@pytest.mark.slow
def test_an_action_has_the_prompt_and_the_parents_of_its_image(painter: Mj, service: Service) -> None:
    painter("imagine", "a cat --niji 6")
    service.answer(service.result(image_id="image-2", task_id="task-2", actions=["upscale_2x"]))
    painter("upscale", "1", "@last")
    service.answer(service.result(image_id="image-3", task_id="task-3"))
    (saved,) = painter("upscale", "2x", "@last", "--metadata", "embed", "--json").answer["files"]
    found = packet(saved)
    assert found["mj:Parents"] == ["image-2", "image-1"]
    assert found["dc:description"] == ["a cat --niji 6"]
    assert found["Iptc4xmpExt:AISystemVersionUsed"] == ["niji 6"]
    assert found["mj:Action"] == ["upscale_2x"]


def test_links_and_their_signatures_are_left_out(painter: Mj, service: Service) -> None:
    links = (
        f"{service.base_url}/files/cat.png?ex=1&hm=2",
        "a cat",
        f"--sref {service.base_url}/files/cat.png?hm=3",
    )
    found = packet(imagine(painter, "--metadata", "embed", prompt=(" ".join(links),)))
    assert found["dc:description"] == [f"a cat --sref {service.base_url}/files/cat.png"]


def test_a_token_in_the_prompt_is_masked(painter: Mj) -> None:
    file = imagine(painter, "--metadata", "embed", prompt=("a cat secret-token",))
    assert "a cat" in packet(file)["dc:description"][0]


@pytest.mark.slow
def test_a_seed_that_was_asked_for_is_written_later(painter: Mj, service: Service) -> None:
    painter("imagine", "a cat")
    seed = {"success": True, "seed": "1234"}
    service.scripts["/midjourney/seed"] = lambda _request, reply: reply.json(seed)
    painter("seed", "@last")
    painter("download", "image-1", "--metadata", "embed")
    assert packet(painter.cwd / f"{NAME}.png")["mj:Seed"] == ["1234"]


def test_a_job_without_the_ledger_has_what_the_request_says(painter: Mj) -> None:
    file = imagine(painter, "--metadata", "embed", "--no-ledger")
    found = packet(file)
    assert (found["mj:TaskID"], found["mj:Seed"]) == (["task-1"], ["5"])
    assert "mj:Job" not in found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_the_parts_of_a_grid_have_it_too(painter: Mj, service: Service, kind: str) -> None:
    service.files["/files/cat.png"] = picture(kind)
    files = painter("imagine", "a cat", "--split", "--metadata", "embed", "--json").answer["files"]
    assert len(files) == 5
    assert [packet(each)["mj:TaskID"] for each in files] == [["task-1"]] * 5
    for each in files:
        assert painter("history", "show", each, "--field", "task_id").out == "task-1\n"


def test_resume_writes_it_as_requested(painter: Mj, service: Service) -> None:
    image = service.files.pop("/files/cat.png")
    painter("imagine", "a cat", "--metadata", "embed", check=8)
    service.files["/files/cat.png"] = image
    (saved,) = painter("resume", "--json").answer["files"]
    assert packet(saved)["mj:TaskID"] == ["task-1"]


def test_a_video_has_a_sidecar(painter: Mj, service: Service) -> None:
    service.files["/files/cat.png"] = WHOLE["gif"]
    result = painter("imagine", "a cat", "--metadata", "embed")
    notice = f'"{NAME}.gif" has a format that cannot carry it, so its metadata was saved beside it.\n'
    assert notice in result.err
    assert (painter.cwd / f"{NAME}.gif").read_bytes() == WHOLE["gif"]
    assert (painter.cwd / f"{NAME}.gif.json").exists()


def test_the_bytes_on_standard_output_have_it(painter: Mj) -> None:
    out = painter("imagine", "a cat", "-o", "-", "--metadata", "embed").stdout
    found = packet_in(out)
    assert found is not None
    assert parse(found).first("mj:TaskID") == "task-1"


def test_a_file_that_cannot_carry_it_is_written_to_standard_output_alone(
    painter: Mj, service: Service
) -> None:
    service.files["/files/cat.png"] = WHOLE["gif"]
    result = painter("imagine", "a cat", "-o", "-", "--metadata", "embed")
    assert result.stdout == WHOLE["gif"]
    assert "so its metadata was not saved." in result.err


@pytest.mark.parametrize(
    "options", [("-o", "-", "--metadata", "sidecar"), ("--no-download", "--metadata", "embed")]
)
def test_options_that_contradict_it_are_refused_before_anything_is_sent(
    painter: Mj, service: Service, options: tuple[str, ...]
) -> None:
    assert "cannot be combined" in painter("imagine", "a cat", *options, check=2).err
    assert not service.posts()


@pytest.mark.slow
def test_an_earlier_file_gets_a_sidecar_on_request(painter: Mj) -> None:
    file = imagine(painter)
    painter("download", "@last", "--metadata", "sidecar")
    assert file.read_bytes() == IMAGE
    assert sorted(each.name for each in painter.cwd.iterdir()) == [f"{NAME}.png", f"{NAME}.png.json"]


@pytest.mark.slow
def test_an_earlier_file_gets_the_metadata_without_another_download(painter: Mj, service: Service) -> None:
    file = imagine(painter)
    file.chmod(0o640)
    mode, downloads = file.stat().st_mode, len(service.gets())
    result = painter("download", "@last", "--metadata", "embed")
    assert f'The metadata was embedded in "{NAME}.png", which already existed.\n' in result.err
    assert packet(file)["mj:TaskID"] == ["task-1"]
    assert file.stat().st_mode == mode
    assert len(service.gets()) == downloads
    changed = file.read_bytes()
    assert rows(painter, "files, files_sha256, files_received_sha256") == [
        (json.dumps([str(file)]), json.dumps([digest(changed)]), json.dumps([digest(IMAGE)]))
    ]
    assert "Kept " in painter("download", "@last", "--metadata", "embed").err
    assert file.read_bytes() == changed
    assert [each.name for each in painter.cwd.iterdir()] == [f"{NAME}.png"]


@pytest.mark.slow
def test_the_earlier_parts_of_a_grid_get_it_and_keep_their_order(painter: Mj) -> None:
    files = painter("imagine", "a cat", "--split", "--json").answer["files"]
    painter("download", "@last", "--metadata", "embed")
    assert [packet(each).get("mj:TaskID") for each in files] == [["task-1"]] * 5
    hashes = [digest(Path(each).read_bytes()) for each in files]
    assert rows(painter, "files, files_sha256") == [(json.dumps(files), json.dumps(hashes))]


@pytest.mark.slow
def test_an_earlier_file_that_cannot_be_replaced_safely_gets_a_sidecar(painter: Mj) -> None:
    file = imagine(painter)
    change(painter, "UPDATE jobs SET files_sha256 = NULL")
    result = painter("download", "@last", "--metadata", "embed")
    assert f'"{NAME}.png" has no digest in the ledger, so its metadata was saved beside it.\n' in result.err
    assert file.read_bytes() == IMAGE
    assert (painter.cwd / f"{NAME}.png.json").exists()


@posix
@pytest.mark.slow
def test_an_earlier_file_that_is_a_symbolic_link_gets_a_sidecar(painter: Mj) -> None:
    file = imagine(painter)
    elsewhere = file.rename(painter.home / "elsewhere.png")
    file.symlink_to(elsewhere)
    painter("download", "@last", "--metadata", "embed")
    assert file.is_symlink()
    assert elsewhere.read_bytes() == IMAGE
    assert (painter.cwd / f"{NAME}.png.json").exists()


@pytest.mark.slow
def test_an_edited_file_is_not_overwritten_by_metadata(painter: Mj) -> None:
    file = imagine(painter)
    edit = picture()
    file.write_bytes(edit)
    painter("download", "@last", "--metadata", "embed")
    assert file.read_bytes() == edit
    assert packet(painter.cwd / f"{NAME}-2.png")["mj:TaskID"] == ["task-1"]


# -- files are known by their content ----------------------------------------------------------------


@pytest.mark.slow
def test_a_moved_file_is_known_with_and_without_its_metadata(painter: Mj, service: Service) -> None:
    file = imagine(painter, "--metadata", "embed")
    moved = file.rename(painter.cwd / "elsewhere.png")
    original = painter.cwd / "original.png"
    original.write_bytes(IMAGE)
    for each in (moved, original):
        result = painter("history", "show", str(each), "--field", "task_id")
        assert (result.out, result.err) == ("task-1\n", "")
        service.answer(service.result(image_id="image-2", task_id=f"task-of-{each.stem}"))
        painter("upscale", "1", str(each))
        assert service.posts()[-1].body["image_id"] == "image-1"


def test_an_image_prompt_that_is_the_saved_file_uses_the_link_of_the_job(
    painter: Mj, service: Service
) -> None:
    file = imagine(painter, "--metadata", "embed")
    service.answer(service.result(image_id="image-2", task_id="task-2"))
    painter("imagine", "a hat", "--image", str(file))
    assert service.posts()[-1].body["prompt"].startswith(f"{service.base_url}/files/cat.png")


def test_both_digests_stay_while_the_file_does(painter: Mj, service: Service) -> None:
    file = imagine(painter, "--metadata", "embed")
    painter("download", "@last")
    (first,) = rows(painter, "files_received_sha256")
    assert json.loads(first[0]) == [digest(IMAGE)]
    painter("download", "@last", "--force", "--metadata", "off")
    assert file.read_bytes() == IMAGE
    assert rows(painter, "files_received_sha256") == [(None,)]


# -- files are known by their metadata ---------------------------------------------------------------


def test_an_edited_file_names_its_job_with_a_notice(painter: Mj) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    result = painter("history", "show", copy.name, "--field", "task_id")
    assert result.out == "task-1\n"
    assert result.err == '"edited.jpg" is not as mj saved it; its metadata names task task-1.\n'


@pytest.mark.slow
def test_the_notice_names_the_id_that_the_output_has(painter: Mj) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    result = painter("history", "show", copy.name)
    assert "its metadata names task task-1.\n" in result.err
    assert "\ntask: task-1\n" in result.out
    change(painter, "UPDATE jobs SET task_id = NULL")
    result = painter("history", "show", copy.name)
    assert "its metadata names image image-1.\n" in result.err
    assert "\nid: image-1\n" in result.out


def test_an_action_on_an_edited_file_uses_the_image_with_a_notice(painter: Mj, service: Service) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    service.answer(service.result(image_id="image-2", task_id="task-2"))
    result = painter("upscale", "1", copy.name)
    assert service.posts()[-1].body == {"action": "upscale1", "image_id": "image-1"}
    assert (
        '"edited.jpg" is not as mj saved it; using image image-1, which its metadata names.\n' in result.err
    )
    assert "is not offered" not in result.err


def test_an_action_that_the_image_does_not_offer_is_refused_for_an_edited_file_too(
    painter: Mj, service: Service
) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    painter("upscale", "2x", copy.name, check=2)
    assert len(service.posts()) == 1


@pytest.mark.slow
def test_a_file_of_a_job_that_the_ledger_lost_names_its_image(painter: Mj, service: Service) -> None:
    file = imagine(painter, "--metadata", "embed")
    painter("history", "delete", "@last", "--yes")
    service.answer(service.result(image_id="image-2", task_id="task-2"))
    painter("upscale", "1", file.name)
    assert service.posts()[-1].body["image_id"] == "image-1"
    err = painter("history", "show", file.name, check=2).err
    assert "its metadata names a job that profile" in err
    assert "next: mj tasks --import" in err


def test_the_metadata_of_another_service_is_not_trusted(painter: Mj, service: Service) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    change(painter, "UPDATE jobs SET host = 'https://other.example'")
    found = copy.read_bytes().replace(service.base_url.encode(), b"x" * len(service.base_url))
    copy.write_bytes(found)
    assert read_file(copy) is not None
    painter("history", "show", copy.name, check=2)
    painter("upscale", "1", copy.name, check=2)
    assert len(service.posts()) == 1


def test_pixels_are_taken_from_the_file_whatever_its_metadata_says(painter: Mj, service: Service) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    for arguments in (
        ("imagine", "a hat", "--image", copy.name),
        ("edit", copy.name, "a hat"),
        ("describe", copy.name),
    ):
        planned = painter(*arguments, "--dry-run")
        assert "would be uploaded first" in planned.err, arguments
        assert "/files/cat.png" not in planned.out


@pytest.mark.parametrize("command", ["tag x", "star", "seed", "download", "open"])
def test_other_commands_take_no_edited_file(painter: Mj, service: Service, command: str) -> None:
    copy = edited(imagine(painter, "--metadata", "embed"))
    painter(*command.split(), copy.name, check=2)
    assert len(service.posts()) == 1


def test_a_file_cannot_name_what_is_no_id(painter: Mj, service: Service) -> None:
    file = imagine(painter, "--metadata", "embed")
    file.write_bytes(edited(file).read_bytes().replace(b"image-1", b"i;a\\e-1"))
    painter("history", "delete", "@last", "--yes")
    painter("upscale", "1", file.name, check=2)
    assert len(service.posts()) == 1


# -- an independent reader -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exiftool_reads_the_metadata_and_finds_no_fault(painter: Mj, service: Service, kind: str) -> None:
    service.files["/files/cat.png"] = picture(kind)
    prompt = 'a "cat" & <dog> 猫 --ar 3:2 --v 7'
    file = imagine(painter, "--metadata", "embed", prompt=(prompt,))
    reader = [installed("exiftool"), "-json", "-G1", "-struct", "-validate", "-warning", "-all"]
    (found,) = json.loads(subprocess.run([*reader, file], capture_output=True, check=True, timeout=60).stdout)
    assert found["ExifTool:Validate"] == "OK", found
    assert found["XMP-dc:Description"] == prompt
    assert found["XMP-dc:Type"] == ["Image"]
    assert found["XMP-iptcExt:DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert found["XMP-iptcExt:AIPromptInformation"] == prompt
    assert (found["XMP-mj:TaskID"], found["XMP-mj:ImageID"]) == ("task-1", "image-1")
    if kind == "PNG":
        assert found["PNG:Description"] == prompt


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_exiftool_has_written_again_is_known(painter: Mj, service: Service, kind: str) -> None:
    service.files["/files/cat.png"] = picture(kind)
    file = imagine(painter, "--metadata", "embed")
    writer = [
        installed("exiftool"),
        "-q",
        "-overwrite_original",
        "-XMP-xmp:Rating=5",
        "-XMP-dc:Title=The cat",
    ]
    subprocess.run([*writer, file], check=True, timeout=60)
    result = painter("history", "show", file.name, "--field", "task_id")
    assert result.out == "task-1\n"
    assert "is not as mj saved it" in result.err
