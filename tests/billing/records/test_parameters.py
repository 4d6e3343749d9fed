from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.billing.records.parameters import check_encoding, check_min_count
from airflow_provider_rma.exceptions import ConfigurationError


@pytest.mark.parametrize("encoding", [None, "utf-8", "cp1252", "Windows-1252", "utf-16-le", "latin1", "mac_roman"])
def test_encodings_of_text_are_accepted(encoding: str | None) -> None:
    assert check_encoding(encoding) == encoding


@pytest.mark.parametrize("encoding", ["ansi-1252", "", "hex", "rot13", "undefined", "utf-8\0", 1252, b"utf-8", "zlib"])
def test_what_is_no_encoding_of_text_is_refused(encoding: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"encoding .* is not known\. Give a name such as"):
        check_encoding(encoding)


@pytest.mark.parametrize("count", [0, 1, 10_000])
def test_counts_are_accepted(count: int) -> None:
    assert check_min_count(count) == count


@pytest.mark.parametrize("count", [-1, 1.0, "1", True, None, float("nan")])
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(ConfigurationError, match="min_count must be an integer ≥ 0"):
        check_min_count(count)
