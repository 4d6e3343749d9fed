"""A tenant's folder of evidence, with runs that write into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.billing.evidence.chain import verify_chain
from airflow_provider_rma.billing.evidence.model import ChainDefect, EvidenceRef, RunFacts
from airflow_provider_rma.billing.evidence.writer import EvidenceWriter, list_recorded_links
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome

SERVICE = "https://rma.example"
FS = LocalFileSystem()


def facts(**values: Any) -> RunFacts:
    start = datetime(2026, 11, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    return RunFacts(
        **{
            "run": "nightly/2026-11-01/bill",
            "kind": "invoices",
            "started": start,
            "finished": start + timedelta(seconds=90),
            "plan_hash": "a" * 64,
            "input_hash": "b" * 64,
            "brakes": {"max_count": 2000, "max_amount": "1000000"},
            "versions": {"apache-airflow": "3.3.2"},
        }
        | values
    )


def rows(count: int = 3) -> Iterator[dict[str, Any]]:
    for position in range(1, count + 1):
        amounts = {"net": Decimal("100.00"), "gross": Decimal("108.10")}
        yield DocumentResult(position, f"R-{position}", Outcome.CREATED, document_id=str(position), **amounts).as_dict()


class EvidenceFolder:
    """A tenant's folder of evidence and a journal's database."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = base / "demo" / "evidence"
        self.engine = open_engine(f"sqlite:///{base / 'journal.db'}")

    def writer(self, *, service: str = SERVICE, tenant: str = "demo", fs: Any = FS) -> EvidenceWriter:
        return EvidenceWriter(self.engine, fs, str(self.folder), service, tenant)

    def write(self, documents: Iterable[dict[str, Any]] | None = None, **values: Any) -> EvidenceRef:
        return self.writer().write(facts(**values), rows() if documents is None else documents)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.json"))

    def defects(self, *, recorded: bool = False) -> list[tuple[str, str]]:
        """Kind and file of every defect."""
        return [(defect.kind, defect.file) for defect in self.verify(recorded=recorded)]

    def verify(self, *, recorded: bool = False) -> list[ChainDefect]:
        expected = list_recorded_links(self.engine, SERVICE, "demo") if recorded else ()
        return verify_chain(FS, str(self.folder), expected=expected)
