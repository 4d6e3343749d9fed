"""Secrets are taken out of text."""

from __future__ import annotations

from airflow_provider_rma.client.redaction import redact


def test_redact_knows_the_spellings_of_a_key() -> None:
    assert redact("a&b a%26b key=a%26b", "a&b") == "*** *** key=***"
