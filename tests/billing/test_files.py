"""The files of a run: names, content, and what may be removed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_rma.billing.files import (
    IMPORT_REPORT,
    OUTCOMES,
    PERISHABLE,
    RunFolder,
    folder_name,
    read_refused_numbers,
)
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary

RESULTS: list[tuple[DocumentResult, dict[str, Any]]] = [
    (DocumentResult(1, "R-1", Outcome.CREATED, gross=Decimal("108.10")), {"invnumber": "R-1"}),
    (DocumentResult(2, "R-2", Outcome.INVALID, ("currency: is unknown",)), {"invnumber": "R-2", "notes": "Zürich"}),
]


@pytest.fixture
def folder() -> RunFolder:
    fs = MemoryFileSystem()
    fs.store.clear()
    return RunFolder(fs, "/run", "memory://run")


def lines(folder: RunFolder, path: str) -> list[bytes]:
    with folder.fs.open(path.replace(folder.url, folder.folder), "rb") as stream:
        return stream.read().splitlines()


def test_a_name_as_a_folder() -> None:
    assert folder_name("muster ag/zürich") == "muster-ag-z-rich"


def test_an_outcome_file_has_every_record_and_the_rejects_those_to_correct(folder: RunFolder) -> None:
    summary = RunSummary("invoices", "run")
    folder.write_outcomes(RESULTS, summary)
    assert (summary.outcome_path, summary.rejects_path) == (
        "memory://run/outcomes.ndjson",
        "memory://run/rejects.ndjson",
    )
    assert [json.loads(line)["outcome"] for line in lines(folder, summary.outcome_path)] == ["created", "invalid"]
    assert [json.loads(line) for line in lines(folder, summary.rejects_path)] == [RESULTS[1][1]]
    assert summary.counts == {"created": 1, "invalid": 1}


def test_a_run_without_rejects_names_no_rejects_file(folder: RunFolder) -> None:
    summary = RunSummary("invoices", "run")
    folder.write_outcomes(RESULTS[:1], summary)
    assert summary.rejects_path == ""


def test_refused_numbers_are_read_with_their_reason(folder: RunFolder) -> None:
    summary = RunSummary("customers", "run")
    folder.write_outcomes([*RESULTS, (DocumentResult(3, "R-3", Outcome.HELD), {})], summary)
    refused = read_refused_numbers(lines(folder, summary.outcome_path))
    assert refused == {"R-2": "currency: is unknown", "R-3": "held"}


def test_outcomes_are_perishable_and_import_reports_are_not() -> None:
    assert OUTCOMES in PERISHABLE
    assert IMPORT_REPORT not in PERISHABLE
