"""Secrets are taken out of text."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from airflow_provider_rma.client.redaction import hide_in_logs, redact

TOKEN = "geheimer&schluessel"


@pytest.fixture(autouse=True)
def token_is_hidden() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    hide_in_logs(TOKEN)
    yield
    logging.setLogRecordFactory(before)


@pytest.fixture(
    params=["urllib3", "urllib3.connection", "urllib3.util.retry", "requests.sessions", "http.client.later"]
)
def written(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of a library, with a handler of its own, and what that has written."""
    logger, stream = logging.getLogger(request.param), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_redact_knows_the_spellings_of_a_key() -> None:
    assert redact("a&b a%26b key=a%26b", "a&b") == "*** *** key=***"


def test_no_key_is_in_what_a_library_logs_at_any_level(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.warning("GET %s failed", "https://rma.example/x?api_key=abc123&from=1")
    logger.error("api_key%%3Dabc123 %s %s", TOKEN, "geheimer%26schluessel")
    logger.warning("bad %d arguments ?api_key=abc123", "x")
    logger.warning("line\nfeed \x1b[31m %s", {"url": "?api_key=abc123"})
    try:
        raise ValueError(f"url?api_key=abc123\n{TOKEN}")
    except ValueError:
        logger.exception("failed")
    text = stream.getvalue()
    for hidden in ("abc123", TOKEN, "geheimer%26", "\x1b"):
        assert hidden not in text
    assert text.count("\n") == 5
    assert "(ValueError: url?api_key=***" in text


def test_other_loggers_are_left_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("urllib3x").warning("?api_key=abc123 %s", "a\nb")
    assert caplog.messages == ["?api_key=abc123 a\nb"]


def test_hiding_again_changes_nothing_even_behind_another_factory() -> None:
    ours = logging.getLogRecordFactory()

    def another(*args: object, **kwargs: object) -> logging.LogRecord:
        return ours(*args, **kwargs)

    for factory in (ours, another):
        logging.setLogRecordFactory(factory)
        hide_in_logs("x" * 20)
        assert logging.getLogRecordFactory() is factory


def test_hiding_comes_back_where_another_library_has_replaced_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.setLogRecordFactory(logging.LogRecord)
    hide_in_logs(TOKEN)
    logging.getLogger("urllib3.connection").warning(TOKEN)
    assert caplog.messages == ["***"]


def test_a_record_without_a_name_is_made_as_ever() -> None:
    hide_in_logs("pat_example")
    record = logging.makeLogRecord({"msg": "plain", "name": "urllib3"})
    assert (record.name, record.getMessage()) == ("urllib3", "plain")
