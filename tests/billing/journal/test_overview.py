"""The journal of all tenants at a glance."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.model import JournalState, Scope
from airflow_provider_rma.billing.journal.overview import read_overview
from airflow_provider_rma.billing.journal.store import Journal

SERVICE = "http://127.0.0.1"


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return open_engine(f"sqlite:///{tmp_path / 'journal.db'}")


def journal(engine: sa.Engine, tenant: str = "demo", kind: str = "invoice", base_url: str = SERVICE) -> Journal:
    return Journal(engine, base_url=base_url, tenant=tenant, kind=kind, run="dag/run/task")


def test_an_empty_journal_has_neither_rows_nor_doubts(engine: sa.Engine) -> None:
    seen = read_overview(engine)
    assert (seen.counts, seen.doubts) == ({}, [])


def test_rows_are_counted_by_tenant_kind_and_state(engine: sa.Engine) -> None:
    journal(engine).import_booked(BookedDocument("R-1"), "0" * 64)
    journal(engine).import_booked(BookedDocument("R-2"), "0" * 64)
    journal(engine, kind="customer").import_booked(BookedDocument("K-1"), "0" * 64)
    assert journal(engine, "other").block("R-1", "0" * 64, None, reason="probably booked")
    assert read_overview(engine).counts == {
        Scope(SERVICE, "demo", "customer"): {JournalState.CREATED: 1},
        Scope(SERVICE, "demo", "invoice"): {JournalState.CREATED: 2},
        Scope(SERVICE, "other", "invoice"): {JournalState.BLOCKED: 1},
    }


def test_doubts_are_told_with_whether_they_are_alive(engine: sa.Engine) -> None:
    assert journal(engine).claim("R-1", "0" * 64, None, settle_after=3_600)
    assert journal(engine, "other").claim("R-2", "0" * 64, None, settle_after=-1)
    doubts = {doubt.row.number: (doubt.scope.tenant, doubt.alive) for doubt in read_overview(engine).doubts}
    assert doubts == {"R-1": ("demo", True), "R-2": ("other", False)}


def test_one_tenant_of_one_service_can_be_chosen(engine: sa.Engine) -> None:
    for tenant, base_url in (("demo", SERVICE), ("other", SERVICE), ("demo", "http://127.0.0.2")):
        journal(engine, tenant, base_url=base_url).import_booked(BookedDocument("R-1"), "0" * 64)
    assert list(read_overview(engine, base_url=SERVICE, tenant="demo").counts) == [Scope(SERVICE, "demo", "invoice")]
