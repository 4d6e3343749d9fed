"""A run is put on record however it ends, and its verdict is raised afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
from airflow_provider_rma.billing.files import RunFolder
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.runs import RunRegistry
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary, failing_outcomes
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.run_record import Provenance, RunRecord
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.exceptions import AuthenticationError, BillingError, InDoubtError, StorageError

CREATED = DocumentResult(1, "R-1", Outcome.CREATED, net=Decimal("100.00"), gross=Decimal("108.10"))
INVALID = DocumentResult(2, "R-2", Outcome.INVALID, ("currency: is unknown",))
UNKNOWN = DocumentResult(3, "R-3", Outcome.UNKNOWN, ("no response",))
HELD = DocumentResult(4, "R-4", Outcome.HELD, ("not sent",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def record(folder: Path, *results: DocumentResult, provenance: Provenance | None = None, **options: Any) -> RunRecord:
    engine = open_engine(f"sqlite:///{folder.parent / 'journal.db'}")
    scope = {"base_url": "https://rma.example", "tenant": "demo", "kind": "invoice"}
    pairs: Iterable[tuple[DocumentResult, dict[str, Any]]] = [
        (result, {"invnumber": result.number}) for result in results
    ]
    return RunRecord(
        RunSummary("invoices", "dag/run/task"),
        lambda: iter(pairs),
        RunFolder(LocalFileSystem(), str(folder), str(folder)),
        ClientConfig(host="https://rma.example", tenant="demo", token="t"),
        Policy(),
        failing_outcomes(options.pop("fail_on", None)),
        provenance or Provenance(),
        RunRegistry(Journal(engine, run="dag/run/task", **scope)),
    )


def outcomes(folder: Path) -> list[str]:
    lines = (folder / "outcomes.ndjson").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["outcome"] for line in lines]


def test_a_run_that_went_well_leaves_files_and_raises_nothing(folder: Path) -> None:
    with record(folder, CREATED) as run:
        pass
    assert outcomes(folder) == ["created"]
    assert Path(run.summary.page_path).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (run.summary.rejects_path, run.summary.total, run.stopped) == ("", Decimal("108.10"), "")


def test_an_outcome_that_fails_the_run_is_raised_after_the_files_are_written(folder: Path) -> None:
    with pytest.raises(BillingError, match="1 invalid of 2 invoices") as caught, record(folder, CREATED, INVALID):
        pass
    assert not isinstance(caught.value, InDoubtError)
    assert outcomes(folder) == ["created", "invalid"]


def test_an_outcome_that_is_tolerated_raises_nothing(folder: Path) -> None:
    with record(folder, INVALID, fail_on=["conflict"]):
        pass
    assert outcomes(folder) == ["invalid"]


def test_a_doubt_says_when_it_resolves_itself(folder: Path) -> None:
    with pytest.raises(InDoubtError, match=r"after 2026-11-20 14:05:09 \(Zurich\)"), record(folder, UNKNOWN) as run:
        run.summary.retry_at = 1_795_179_909.0


def test_an_alarm_fails_a_run_whose_outcomes_are_good(folder: Path) -> None:
    with pytest.raises(BillingError, match="booked twice"), record(folder, CREATED) as run:
        run.summary.alarms.append("R-0 of an earlier run is booked twice")


def test_an_error_of_the_run_passes_through_after_the_record_is_written(folder: Path) -> None:
    error = AuthenticationError("the token is refused", method="GET", path="/invoices")
    with pytest.raises(AuthenticationError) as caught, record(folder, HELD) as run:
        raise error
    assert caught.value is error
    assert outcomes(folder) == ["held"]
    assert run.stopped == "the token is refused"
    assert "The run was stopped" in Path(run.summary.page_path).read_text(encoding="utf-8")


def test_a_run_that_is_killed_is_put_on_record(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), record(folder, HELD):
        raise KeyboardInterrupt
    assert outcomes(folder) == ["held"]


def test_evidence_of_the_run_stands_in_the_tenants_chain(folder: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    writer = EvidenceWriter(engine, LocalFileSystem(), str(tmp_path / "evidence"), "https://rma.example", "demo")
    provenance = Provenance(writer, "A. Prüferin", {"apache-airflow": "3.3.2"})
    with record(folder, CREATED, provenance=provenance) as run:
        pass
    evidence = json.loads(Path(run.summary.evidence_path).read_text(encoding="utf-8"))
    assert (evidence["approver"], evidence["counts"]) == ("A. Prüferin", {"created": 1})
    assert evidence["brakes"] == {"max_count": 2000, "max_amount": "1000000"}
    assert evidence["hash"] == run.summary.evidence_hash
    assert verify_chain(LocalFileSystem(), str(tmp_path / "evidence")) == []


def test_a_run_that_fails_says_its_first_ten_reasons_and_where_its_files_are(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    invalid = [DocumentResult(n, f"R-{n}", Outcome.INVALID, (f"invoice R-{n}: currency: a\nb",)) for n in range(1, 13)]
    with pytest.raises(BillingError) as caught, record(folder, *invalid) as run:
        pass
    text = str(caught.value)
    assert "invalid: invoice R-1: currency: a b" in text
    assert "R-10:" in text
    assert "R-11:" not in text
    assert run.summary.page_path in text
    assert run.summary.outcome_path in text
    assert caught.value.result == run.summary.as_dict()
    assert len([log for log in caplog.records if log.message.startswith("invalid: ")]) == 10


def test_a_reason_that_does_not_name_its_number_is_given_it(folder: Path) -> None:
    with pytest.raises(BillingError, match="held: R-4: not sent"), record(folder, HELD, CREATED):
        pass


def test_a_run_that_ended_early_has_its_result(folder: Path) -> None:
    with pytest.raises(AuthenticationError) as caught, record(folder, HELD):
        raise AuthenticationError("the token is refused")
    assert caught.value.result is not None
    assert caught.value.result["counts"] == {"held": 1}


def test_a_folder_that_cannot_be_written_is_noticed_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    entered = False
    run = record(tmp_path / "run", CREATED)
    run.folder = RunFolder(LocalFileSystem(), str(tmp_path / "file" / "run"), "file/run")
    with pytest.raises(StorageError, match="Nothing was sent"), run:
        entered = True
    assert not entered
