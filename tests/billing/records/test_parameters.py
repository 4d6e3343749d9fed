from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.billing.records.parameters import check_encoding
from airflow_provider_rma.exceptions import ConfigurationError


@pytest.mark.parametrize("encoding", [None, "utf-8", "cp1252", "Windows-1252", "utf-16-le", "latin1", "mac_roman"])
def test_encodings_of_text_are_accepted(encoding: str | None) -> None:
    assert check_encoding(encoding) == encoding


@pytest.mark.parametrize("encoding", ["ansi-1252", "", "hex", "rot13", "undefined", "utf-8\0", 1252, b"utf-8", "zlib"])
def test_what_is_no_encoding_of_text_is_refused(encoding: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"encoding .* is not known\. Give a name such as"):
        check_encoding(encoding)
