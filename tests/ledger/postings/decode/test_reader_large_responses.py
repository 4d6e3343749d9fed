"""Answers that do not fit into memory wait in a file; without the native decoder the strict way reads them."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.stream import RawResponse
from airflow_provider_rma.ledger.postings.batches import PostingBatches
from airflow_provider_rma.ledger.postings.decode import json_path, xml_path
from airflow_provider_rma.ledger.postings.decode.reader import PostingReader
from airflow_provider_rma.ledger.windows import MonthLoad
from tests.support.ledger.responses import WINDOW, json_posting, read_both_paths, xml_document, xml_posting
from tests.support.scripted_server import ScriptedServer, respond

COUNT = 25_000


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    postings = [xml_posting(entry_id=f"<entry_id>{number}</entry_id>") for number in range(COUNT)]
    listed = [json_posting(entry_id=str(number)) for number in range(COUNT)]
    whole = {"@number_of_transaction": str(COUNT), "transaction": listed}
    return {"xml": xml_document(*postings), "json": json.dumps(whole, ensure_ascii=False).encode()}


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("has_path", [True, False])
def test_a_large_answer_is_read_from_its_file(
    bodies: dict[str, bytes], form: str, has_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_path:
        monkeypatch.setattr(RawResponse, "path", lambda _: None)
    server = ScriptedServer([respond(200, bodies[form], Content_Type=f"application/{form}")])
    with server, RunMyAccountsClient(server.config()) as client, client.open_transactions() as source:
        reader = PostingReader(source, PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {}))
        numbers = [number for batch in reader for number in batch.column("entry_id").to_pylist()]
        assert reader.refusal == ""
        assert reader.announced == COUNT
    assert numbers == list(range(COUNT))


def test_a_reader_may_be_left_early(bodies: dict[str, bytes]) -> None:
    server = ScriptedServer([respond(200, bodies["xml"], Content_Type="application/xml")])
    with server, RunMyAccountsClient(server.config()) as client, client.open_transactions() as source:
        batches = iter(PostingReader(source, PostingBatches(MonthLoad("demo", WINDOW, "load-1"), {})))
        assert next(batches).num_rows
        batches.close()  # type: ignore[attr-defined]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the native decoders."""
    for module in (xml_path, json_path):
        monkeypatch.setattr(module, "IS_INSTALLED", False)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("form", ["xml", "json"])
def test_without_the_native_decoder_the_strict_way_is_taken_and_said_once(
    form: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = xml_document(xml_posting()) if form == "xml" else json.dumps({"transaction": [json_posting()]}).encode()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            outcome = read_both_paths(body, f"application/{form}")
            assert outcome.rows is not None
            assert len(outcome.rows) == 1
    assert len([record for record in caplog.records if "is not installed" in record.message]) == 1
