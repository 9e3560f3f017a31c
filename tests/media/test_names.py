"""File names: templates, hostile values, and checks before a job is paid for."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from mjcli.errors import ConfigError, UsageError
from mjcli.media.names import (
    PLACEHOLDERS,
    Target,
    check_free,
    check_windows_names,
    cut,
    fields_of,
    in_use,
    is_variant,
    name_for,
    numbered,
    parse_size,
    parse_target,
    part_of,
    safe,
    slug_of,
)
from mjcli.media.place import check_writable
from tests.support.images import png
from tests.support.systems import posix

KNOWN = {"prompt": "a-cat", "action": "generate", "date": "2026-01-02"}

HOSTILE = [
    "../../etc/passwd",
    "%2e%2e%2fetc",
    "/etc/passwd",
    "..",
    ".",
    "a\\b",
    "..\\..\\b",
    "a\0b",
    "a\x1b[31mb",
    "a\nb\rc",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "CON",
    "con.png",
    "NUL",
    "COM1.txt",
    "a:b",
    "x" * 300,
    "é" * 300,
    "猫" * 300,
    "\ud800",
    "",
    " ",
    "...",
    "-rf",
    '*?<>|"',
]


def fields(**given: str) -> dict[str, str]:
    values = {"prompt": "a cat", "image_id": "123", "task_id": "t-1", "action": "generate", **given}
    return fields_of(**values)  # type: ignore[arg-type]


def one(target: Target, values: dict[str, str], ext: str = "png") -> Path:
    return name_for(target, values, ext=ext, index=1, count=1)


def test_the_default_name_is_slug_image_id_and_extension(tmp_path: Path) -> None:
    assert one(Target(tmp_path), fields()) == tmp_path / "a-cat_123.png"


@pytest.mark.parametrize("field", ["prompt", "image_id", "task_id", "action"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_escapes_the_directory_or_controls_the_terminal(
    tmp_path: Path, field: str, hostile: str
) -> None:
    template = f"{{{field}}}.{{ext}}"
    for target in (Target(tmp_path), Target(tmp_path, template)):
        path = one(target, fields(**{field: hostile}))
        name = path.name
        assert path.parent == tmp_path
        assert Path(os.path.normpath(path)).parent == tmp_path
        assert name not in ("", ".", "..")
        assert len(name.encode()) < 120
        assert name.endswith(".png")
        assert name.isprintable()
        assert not set(name) & set('/\\:*?"<>|')
        path.write_bytes(b"")  # the file system accepts the name


@pytest.mark.parametrize("device", ["CON", "con", "prn", "AUX", "nul", "com1", "LPT9"])
def test_a_windows_device_is_never_a_file_name(tmp_path: Path, device: str) -> None:
    path = one(Target(tmp_path, "{prompt}.{ext}"), fields(prompt=device))
    assert path.name.partition(".")[0].lower() != device.lower()


@pytest.mark.parametrize("fine", ["foo..bar", ".x.png", "cat-1_2", "1234197197067915365", "é猫"])
def test_a_harmless_id_is_unchanged(fine: str) -> None:
    assert safe(fine) == fine


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("a cat on a table", "a-cat-on-a-table"),
        ("A Cat, on  a\ttable!", "a-cat-on-a-table"),
        ("https://x.example/1.png the bear --iw 2 --ar 16:9", "the-bear"),
        ("the bear —iw 2", "the-bear"),
        ("the bear –iw 2", "the-bear"),
        ("猫 auf Möbel", "猫-auf-möbel"),
        ("../../etc/passwd", "etc-passwd"),
        ("--v 7", ""),
        ("\u202e\x1b]0;x\x07", "0-x"),
    ],
)
def test_a_slug_is_the_words_of_a_prompt(prompt: str, slug: str) -> None:
    assert slug_of(prompt) == slug


def test_a_long_prompt_is_cut_but_the_image_id_is_not(tmp_path: Path) -> None:
    path = one(Target(tmp_path), fields(prompt="猫 " * 200, image_id="1234197197067915365"))
    assert len(path.name.encode()) < 120
    assert path.name.endswith("_1234197197067915365.png")
    assert path.name.startswith("猫-猫")


TEMPLATES = [
    "{prompt}_{image_id}.{ext}",
    "x" * 120 + "_{image_id}.{ext}",
    "x" * 120 + "-{index}.png",
    "{index}-" + "é" * 90 + ".{ext}",
    "猫" * 60 + "{index}" + "猫" * 60 + "{index}.{ext}",
    "1" * 130 + "{index}.{ext}",
    "x." + "y" * 120,
    "y" * 120 + "{image_id}.{index}",
    "{image_id}_{task_id}_{action}." + "y" * 60 + "{index}",
    "{image_id}" * 9,
    "c" * 230 + ".png",
]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("text", ["7", "8" * 80, "é" * 80], ids=["short", "long", "not ASCII"])
def test_every_file_of_a_job_has_a_name_of_its_own_however_long_the_name_is(
    tmp_path: Path, template: str, text: str
) -> None:
    target = Target(tmp_path, template)
    given = fields(prompt=text, image_id=text, task_id=text, action=text)
    names = [name_for(target, given, ext="png", index=index, count=12) for index in range(1, 13)]
    limit = 119 if target.fixed is None else 255
    seen: set[Path] = set()
    for name in names:
        forms = {part_of(numbered(name, number), 4) for number in (1, 2, 12, 9999)}
        forms |= {numbered(name, number) for number in (1, 2, 12, 9999)}
        assert all(len(form.name.encode()) <= limit for form in forms)
        assert not forms & seen
        assert not any(is_variant(form, other) for form in forms for other in names if other != name)
        seen |= forms


def test_a_long_literal_is_cut_and_the_ids_are_not(tmp_path: Path) -> None:
    path = one(Target(tmp_path, "x" * 120 + "{image_id}.{ext}"), fields(image_id="1234197197067915365"))
    assert path.name.endswith("x1234197197067915365.png")


def test_a_long_name_is_cut_alike_whatever_the_extension_is(tmp_path: Path) -> None:
    first, second = (one(Target(tmp_path), fields(prompt="cat " * 90), ext=ext) for ext in ("png", "webp"))
    assert first.stem == second.stem


def test_two_images_of_one_long_prompt_have_different_names(tmp_path: Path) -> None:
    names = {one(Target(tmp_path), fields(prompt="word " * 100, image_id=each)) for each in ("1", "2")}
    assert len(names) == 2


def test_several_files_of_a_long_prompt_have_different_short_names(tmp_path: Path) -> None:
    for target in (
        Target(tmp_path),
        Target(tmp_path, "{prompt}.{ext}"),
        Target(tmp_path, "{prompt}{image_id}.{ext}"),
    ):
        values = fields(prompt="word " * 100, image_id="i" * 100)
        names = [name_for(target, values, ext="png", index=n, count=4) for n in range(1, 5)]
        assert len(set(names)) == 4
        assert all(len(each.name.encode()) < 120 for each in names)


def test_several_files_with_a_fixed_name_are_numbered(tmp_path: Path) -> None:
    names = [name_for(Target(tmp_path, "cat.png"), fields(), ext="png", index=n, count=2) for n in (1, 2)]
    assert [each.name for each in names] == ["cat_1.png", "cat_2.png"]


def test_cut_never_splits_a_character() -> None:
    for limit in range(1, 12):
        assert len(cut("aé猫😀b", limit).encode()) <= limit
        assert "aé猫😀b".startswith(cut("aé猫😀b", limit))


# -- --output ------------------------------------------------------------------------------------------


def test_without_output_files_are_saved_in_the_default_directory(tmp_path: Path) -> None:
    assert parse_target(None, tmp_path) == Target(tmp_path)


def test_an_existing_directory_is_a_directory_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "cat.png").mkdir()
    assert parse_target(str(tmp_path / "cat.png"), tmp_path) == Target(tmp_path / "cat.png")


@pytest.mark.parametrize("output", ["new/", "new"])
def test_a_name_without_an_extension_or_with_a_slash_is_a_directory(tmp_path: Path, output: str) -> None:
    assert parse_target(f"{tmp_path}/{output}", tmp_path) == Target(tmp_path / "new")


def test_a_name_with_an_extension_is_a_file(tmp_path: Path) -> None:
    target = parse_target(str(tmp_path / "cat.png"), tmp_path)
    assert one(target, fields()) == tmp_path / "cat.png"


def test_every_placeholder_of_the_contract_is_filled_in(tmp_path: Path) -> None:
    template = "-".join(
        f"{{{name}}}" for name in ("prompt", "image_id", "task_id", "action", "index", "date")
    )
    target = parse_target(str(tmp_path / f"{template}.{{ext}}"), tmp_path)
    today = datetime.date.today().isoformat()
    assert one(target, fields()).name == f"a-cat-123-t-1-generate-1-{today}.png"
    assert set(PLACEHOLDERS) == {"prompt", "image_id", "task_id", "action", "index", "date", "ext"}


def test_a_template_without_an_extension_gets_the_one_of_the_file(tmp_path: Path) -> None:
    assert (
        one(parse_target(str(tmp_path / "x-{image_id}"), tmp_path), fields(), ext="webp").name == "x-123.webp"
    )


@pytest.mark.parametrize(
    "bad",
    ["{nope}", "{prompt!r}", "{prompt:>9}", "{prompt.x}", "{0}", "{}", "{prompt", "prompt}", "{__class__}"],
)
def test_an_unknown_placeholder_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UsageError):
        parse_target(str(tmp_path / f"{bad}.png"), tmp_path)


def test_the_error_for_an_unknown_placeholder_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(str(tmp_path / "{nope}.png"), tmp_path)
    assert "{nope}" in caught.value.message
    assert all(f"{{{each}}}" in caught.value.message for each in PLACEHOLDERS)


@pytest.mark.parametrize(
    ("output", "template", "path"),
    [
        ("{date}/{prompt}/{index}.{ext}", "{date}/{prompt}/{index}.{ext}", "2026-01-02/a-cat/1.png"),
        ("pics/{action}/x.png", "{action}/x.png", "pics/generate/x.png"),
        ("{action}/", "{action}/{prompt}_{image_id}.{ext}", "generate/a-cat_123.png"),
        ("{action}/cats", "{action}/cats/{prompt}_{image_id}.{ext}", "generate/cats/a-cat_123.png"),
        ("v1.5/{prompt}", "{prompt}.{ext}", "v1.5/a-cat.png"),
        ("{prompt}.d/{index}", "{prompt}.d/{index}.{ext}", "a-cat.d/1.png"),
        ("{ext}/{prompt}.{ext}", "{ext}/{prompt}.{ext}", "png/a-cat.png"),
    ],
)
def test_a_template_may_contain_directories(tmp_path: Path, output: str, template: str, path: str) -> None:
    target = parse_target(f"{tmp_path}/{output}", tmp_path)
    assert target.template == template
    assert one(target, {**fields(), "date": "2026-01-02"}) == tmp_path / path


@pytest.mark.parametrize("field", ["prompt", "image_id", "task_id", "action"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_escapes_through_a_directory_of_the_template(
    tmp_path: Path, field: str, hostile: str
) -> None:
    path = one(Target(tmp_path, f"{{{field}}}/{{{field}}}.{{ext}}"), fields(**{field: hostile}))
    assert path.parent.parent == Path(os.path.normpath(path)).parent.parent == tmp_path
    assert path.parent.name not in ("", ".", "..")
    assert len(path.parent.name.encode()) < 120
    path.parent.mkdir()
    path.write_bytes(b"")


def test_the_files_of_one_job_share_the_directory_of_the_template(tmp_path: Path) -> None:
    target = Target(tmp_path, "{prompt}/{image_id}.{ext}")
    paths = [name_for(target, fields(prompt="猫" * 200), ext="png", index=n, count=12) for n in (1, 9, 12)]
    assert len({each.parent for each in paths}) == 1
    assert [each.name for each in paths] == ["123_1.png", "123_9.png", "123_12.png"]


@pytest.mark.parametrize("output", ["{prompt}/../x.png", "{prompt}/../../{ext}/", "../{date}/.."])
def test_two_dots_after_a_placeholder_are_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(UsageError, match=r'cannot contain "\.\." after a placeholder'):
        parse_target(f"{tmp_path}/{output}", tmp_path)


def test_a_doubled_brace_is_a_literal_brace(tmp_path: Path) -> None:
    assert one(parse_target(str(tmp_path / "{{x}}-{image_id}.png"), tmp_path), fields()).name == "{x}-123.png"


def test_braces_in_a_value_are_not_placeholders(tmp_path: Path) -> None:
    assert one(Target(tmp_path, "{image_id}.{ext}"), fields(image_id="{date}")).name == "{date}.png"


# -- checks before paying for a job --------------------------------------------------------------------


def test_a_directory_that_does_not_exist_yet_is_accepted(tmp_path: Path) -> None:
    check_writable(Target(tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError):
            check_writable(Target(directory))


@posix
def test_a_dangling_symlink_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        check_writable(Target(tmp_path / "link"))


def test_a_directory_with_the_fixed_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat.png").mkdir()
    with pytest.raises(ConfigError):
        check_writable(Target(tmp_path, "cat.png"))


@pytest.mark.parametrize(
    "target",
    [
        Target(Path("x" * 300)),
        Target(Path("new", "é" * 200, "more")),
        Target(Path(), "x" * 300 + ".png"),
        Target(Path(*["x" * 200] * 30)),
        Target(Path(*["x" * 99] * 40), "{prompt}.{ext}"),
    ],
    ids=["a directory", "a directory below a new one", "a file name", "a path", "a path for names"],
)
def test_names_that_the_file_system_cannot_have_are_refused(tmp_path: Path, target: Target) -> None:
    with pytest.raises(ConfigError, match="is too long"):
        check_writable(target._replace(directory=tmp_path / target.directory))


def test_a_file_system_that_takes_no_files_is_recognised_whatever_its_modes_say() -> None:
    directory = Path("/proc/self")
    if not directory.is_dir():
        pytest.skip("needs /proc")
    with pytest.raises(ConfigError, match="cannot be written"):
        check_writable(Target(directory))


def test_the_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(Target(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", ["png", "jpg", "webp"])
def test_a_name_that_is_known_and_in_use_is_refused(tmp_path: Path, extension: str) -> None:
    (tmp_path / f"a-cat.{extension}").write_bytes(png())
    with pytest.raises(ConfigError, match="already exists"):
        check_free(Target(tmp_path, "{prompt}.{ext}"), KNOWN, count=1, extensions=("png", "jpg", "webp"))
    check_free(Target(tmp_path, "{prompt}_{action}.{ext}"), KNOWN, count=1, extensions=("png", "jpg", "webp"))


def test_a_name_that_is_not_known_yet_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "a-cat_.png").write_bytes(png())
    check_free(Target(tmp_path), KNOWN, count=1, extensions=("png",))


def test_the_names_of_several_files_and_of_parts_are_checked(tmp_path: Path) -> None:
    (tmp_path / "cat_3.png").write_bytes(png())
    target = Target(tmp_path, "cat.png")
    check_free(target, {}, count=1, extensions=("png",))
    for other, count in ((target, 4), (target._replace(split=True), 1)):
        with pytest.raises(ConfigError, match="cat_3"):
            check_free(other, {}, count=count, extensions=("png",))


def test_only_an_empty_file_leaves_its_name_free(tmp_path: Path) -> None:
    (tmp_path / "whole.png").write_bytes(png())
    (tmp_path / "incomplete.png").write_bytes(png()[:30])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "directory.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    assert not in_use(tmp_path / "free.png")
    assert not in_use(tmp_path / ("x" * 300))
    assert {path.stem for path in tmp_path.iterdir() if not in_use(path)} == {"empty"}


# -- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "second"),
    [("cat.png", "cat-2.png"), ("cat", "cat-2"), (".png", ".png-2"), ("a.b.png", "a.b-2.png")],
)
def test_a_name_in_use_is_followed_by_a_numbered_one(tmp_path: Path, name: str, second: str) -> None:
    assert numbered(tmp_path / name, 1).name == name
    assert numbered(tmp_path / name, 2).name == second
    assert is_variant(tmp_path / second, tmp_path / name)


def test_a_numbered_name_is_not_longer_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / ("猫" * 83 + ".png")
    assert len(numbered(path, 12).name.encode()) <= 255
    assert is_variant(numbered(path, 12), path)


def test_another_name_is_not_a_numbered_one(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    for other in ("cat-x.png", "cats-2.png", "cat-02.png", "cat-.png", "cat_2.png"):
        assert not is_variant(tmp_path / other, path)
    assert not is_variant(tmp_path / "else" / "cat.png", path)


# -- sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500", 500),
        ("10M", 10 * 1024**2),
        ("2G", 2 * 1024**3),
        ("1.5k", 1536),
        ("3MB", 3 * 1024**2),
        ("1GiB", 1024**3),
    ],
)
def test_a_size_has_a_unit_or_is_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "much", "10X", "1e3", "٣"])
def test_anything_else_is_not_a_size(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    "name",
    [
        "a?b.png",
        "cat.png:x",
        "aux",
        "Aux.png",
        "com¹.png",
        "nul .png",
        "cat.png.",
        "cat.png ",
        "a\tb.png",
        "a|{index}",
    ],
)
def test_names_that_windows_does_not_allow_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name on Windows"):
        check_windows_names(Target(Path("cats"), name))
    if "{" not in name:
        with pytest.raises(UsageError, match="cannot be a name on Windows"):
            check_windows_names(Target(Path("cats") / name / "more"))


@pytest.mark.parametrize(
    "name", ["cat.png", ".cat.png", "{prompt}_.{ext}", "{index} .{ext}", "console.png", "auxiliary"]
)
def test_other_names_are_allowed_on_windows(name: str) -> None:
    check_windows_names(Target(Path("cats"), name))
