"""What a status and a body mean for a paid request: refused, never reached, or lost."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mjcli.api.responses import meaning_of
from mjcli.errors import ApiError, LostResponse, MjError, NetworkError

OWN = {"error": {"code": "bad_request", "message": "no"}, "trace_id": "t"}
TIMEOUT = {"error": {"code": "timeout", "message": "late"}}
NGINX = {"status": 502, "error": "Bad Gateway"}
NO_CODE = {"error": {"message": "no"}}
NUMBER = {"error": {"code": 502, "message": "no"}}
FALSE = {"success": False}
DETAIL = {"detail": "no"}

WITH_ID = {"task_id": "t"}
WITH_RESULT = {"raw_image_url": "https://h/a.png", "success": True}

REFUSALS = (400, 401, 402, 403, 404, 405, 407, 410, 413, 416, 418, 422, 426, 429)
GATEWAYS = (
    408,
    409,
    425,
    500,
    501,
    502,
    503,
    504,
    505,
    507,
    511,
    520,
    521,
    522,
    523,
    524,
    525,
    529,
    530,
    599,
)
FORMS: tuple[dict[str, Any] | None, ...] = (None, {}, NGINX, NO_CODE, NUMBER, FALSE, DETAIL)

CASES: list[tuple[int, dict[str, Any] | None, type[MjError]]] = [
    # The service's own object, at a status of its table.
    *((status, OWN, ApiError) for status in (400, 401, 403, 404, 429, 500)),
    (504, OWN, LostResponse),
    *((status, TIMEOUT, LostResponse) for status in (400, 500, 504)),
    *((status, TIMEOUT, LostResponse) for status in (401, 402, 403, 404, 405, 422, 429, 451, 502)),
    # The id of a task or a result: a job was started, which only the service's own object can have ended.
    *((status, form, LostResponse) for status in (*REFUSALS, *GATEWAYS) for form in (WITH_ID, WITH_RESULT)),
    *((status, {**OWN, **WITH_ID}, ApiError) for status in (400, 401, 403, 404, 422, 500)),
    (429, {**OWN, **WITH_ID}, LostResponse),
    # Whatever a gateway says.
    *((status, form, LostResponse) for status in GATEWAYS for form in FORMS),
    *((status, OWN, LostResponse) for status in GATEWAYS if status not in (500, 504)),
    # Statuses that mean a refusal by themselves.
    *((status, form, ApiError) for status in (401, 402, 429) for form in (*FORMS, OWN)),
    # Where there is no API.
    *((status, form, NetworkError) for status in (404, 405, 413) for form in FORMS),
    *((status, form, NetworkError) for status in (300, 301, 302, 303, 304, 307, 308) for form in (*FORMS, OWN)),
    (405, OWN, ApiError),
    (413, OWN, ApiError),
    # Any other 4xx: an object is a refusal, a page is a gateway's.
    *((status, form, ApiError) for status in (400, 403, 406, 415, 422, 451) for form in (NO_CODE, DETAIL, OWN, {})),
    *((status, None, LostResponse) for status in (400, 403, 406, 415, 422, 451)),
    *((status, None, LostResponse) for status in (101, 199, 600, 999)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "document", "kind"), CASES)
def test_a_status_and_a_body_mean_one_thing(
    status: int, document: dict[str, Any] | None, kind: type[MjError]
) -> None:
    error = meaning_of(status, document, "https://elsewhere")
    assert type(error) is kind
    if isinstance(error, ApiError):
        assert error.accepted is ("task_id" in (document or {}))
    if isinstance(error, NetworkError):
        assert error.permanent


def test_odd_objects_are_never_an_accident() -> None:
    generator = random.Random(5)
    values = [
        None,
        0,
        -1,
        1e300,
        "",
        "x",
        "\ud800",
        [],
        [1],
        {},
        {"code": {}},
        {"code": "\udfff"},
        True,
        False,
    ]
    for _ in range(3000):
        document = {
            name: generator.choice(values)
            for name in ("error", "success", "task_id", "trace_id", "message", "detail")
            if generator.random() < 0.7
        }
        error = meaning_of(generator.randrange(300, 600), document, "\ud800")
        f"{error.sentence} {error.task_id} {error.trace_id} {error.code}".replace("\ud800", "").encode()


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502])
@pytest.mark.parametrize("more", [{}, OWN])
def test_an_error_with_a_task_id_names_the_task(status: int, more: dict[str, Any]) -> None:
    error = meaning_of(status, {**more, **WITH_ID})
    assert error.task_id == "t"
    assert getattr(error, "accepted", True)
