"""JSON bodies and the mapped form."""

from __future__ import annotations

import pytest

from airflow_provider_rma.client.codecs.bodies import decode
from airflow_provider_rma.exceptions import (
    IncompleteResponseError,
    UnexpectedResponseError,
)


def test_json_numbers_and_booleans_keep_their_text() -> None:
    body = b'\xef\xbb\xbf{"a": 1.0E7, "b": 106.920, "c": true, "d": [false, 12345678901234567890123], "e": null}'
    assert decode(body, "json", "invoice") == {
        "a": "1.0E7",
        "b": "106.920",
        "c": "true",
        "d": ["false", "12345678901234567890123"],
        "e": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1}x',
        b'{"a": 1}{"a": 1}',
        b"[1]",
        b'"quoted"',
        b"12",
        b"quoted",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": ' * 100 + b"1" + b"}" * 100,
        b'{"a":' * 100_000,
        b"<customers/>",
        b'{"a" 1}',
    ],
)
def test_json_that_is_no_response_is_refused(body: bytes) -> None:
    with pytest.raises((UnexpectedResponseError, IncompleteResponseError)) as caught:
        decode(body, "json", "invoice")
    assert "quoted" not in str(caught.value)
    if not body.endswith(b'"a":'):
        assert isinstance(caught.value, UnexpectedResponseError)
