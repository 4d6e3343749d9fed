"""Errors of libraries for object stores are ours, without what they quote."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger.destinations.parquet.manifest import translate_os_errors


def store_error(name: str, module: str, code: str = "", status: int = 0) -> Exception:
    """Make an error as a library does, which quotes an address with a key."""
    kind = type(name, (Exception,), {"__module__": module})
    error: Any = kind("https://bucket.example/x?X-Amz-Signature=secret")
    if code:
        error.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return error  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("error", "told", "retryable"),
    [
        (store_error("NoCredentialsError", "botocore.exceptions"), "NoCredentialsError", False),
        (store_error("EndpointConnectionError", "botocore.exceptions"), "EndpointConnectionError", True),
        (store_error("ClientError", "botocore.exceptions", "AccessDenied", 403), "ClientError, AccessDenied", False),
        (store_error("ClientError", "botocore.exceptions", "SlowDown", 503), "ClientError, SlowDown", True),
        (store_error("ClientError", "botocore.exceptions", "TooMany", 429), "ClientError, TooMany", True),
        (store_error("HttpError", "gcsfs.retry"), "HttpError", True),
        (store_error("ClientAuthenticationError", "azure.core.exceptions"), "ClientAuthenticationError", False),
        (PermissionError(13, "Permission denied"), "Permission denied", False),
        (TimeoutError("secret"), "TimeoutError", True),
    ],
)
def test_an_error_of_an_object_store_is_ours(error: Exception, told: str, retryable: bool) -> None:
    with pytest.raises(DestinationError) as caught, translate_os_errors("s3://bucket/ledger"):
        raise error
    assert f"s3://bucket/ledger cannot be read or written ({told})" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.retryable is retryable


def test_what_no_store_says_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="a mistake of ours"), translate_os_errors("s3://bucket/ledger"):
        raise ValueError("a mistake of ours")
