"""A run of the extraction that may be lied to, and the assertion that holds whatever the lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_rma.exceptions import RunMyAccountsError, UnprovenError
from airflow_provider_rma.ledger.extract import extract_ledger
from airflow_provider_rma.ledger.result import LedgerResult
from tests.support.ledger.company import Company
from tests.support.ledger.liar import PROVEN, Finding
from tests.support.ledger.picture import MonthPicture, books_chart, books_picture, warehouse_chart, warehouse_picture
from tests.support.ledger.warehouses import Warehouse


@dataclass
class Run:
    """What a run said.

    :param refused: verdict of each month that the run says is not proven.
    :param error: what ended it otherwise.
    :param results: the result, if there is one.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    error: RunMyAccountsError | None = None
    results: list[LedgerResult] = field(default_factory=list)

    @property
    def words(self) -> set[str]:
        """Verdicts of the months, those that are refused included, and ``error``."""
        said = set(self.refused.values()) | ({"error"} if self.error else set())
        return said | {str(window.verdict) for result in self.results for window in result.windows}

    @property
    def is_proven(self) -> bool:
        """Whether the run ended well."""
        return not self.refused and self.error is None

    def codes(self) -> set[str]:
        """Codes of all reasons."""
        windows = (window for result in self.results for window in result.windows)
        return {str(reason.code) for window in windows for reason in window.reasons}


def run_extraction(company: Company, host: str, warehouse: Warehouse, **parameters: Any) -> Run:
    """Extract through a proxy; every error of the provider is part of the outcome, any other one is a fault."""
    run = Run()
    with company.client(host) as client, warehouse.open() as destination:
        try:
            extract_ledger(client, destination, on_result=run.results.append, **parameters)
        except UnprovenError as error:
            run.refused = dict(error.windows)
        except RunMyAccountsError as error:
            run.error = error
    return run


def check_verdict(run: Run, finding: Finding) -> None:
    """The run said what the evidence allows.

    :raises AssertionError: if not.
    """
    refused = run.words - PROVEN
    assert refused <= finding.words, f"{run.words}: {run.error or run.codes()}"
    if not finding.words & PROVEN:
        assert not run.is_proven, f"the lie was accepted: {run.words} {run.codes()}"
    if "exact" not in finding.words:
        assert run.words != {"exact"}, "nothing of the lie was said"
    if finding.words <= PROVEN:
        assert run.is_proven, f"{run.words}: {run.error or run.codes()}"
    if finding.codes:
        assert finding.codes & run.codes(), run.codes()


def check_warehouse(
    run: Run, warehouse: Warehouse, old: Mapping[str, MonthPicture], books: Path, *, unlinked: str = ""
) -> None:
    """Each month is as the books have it, or the run says that it is not proven and the old month is there.

    :param old: the warehouse before the run.
    :param unlinked: why no figure shows that the balances of other months are not those of the books.
    :raises AssertionError: if not.
    """
    new, true = warehouse_picture(warehouse, old, books), books_picture(books, old)
    for month, picture in new.items():
        if picture == true[month] or (unlinked and picture.postings == true[month].postings):
            continue
        difference = f"{month}:\n{true[month].difference(picture)}"
        assert month in run.refused or run.error, f"accepted, and not what the books hold: {difference}"
        assert picture == old[month], f"neither the old month nor the books: {difference}"
    if run.is_proven:
        assert warehouse_chart(warehouse) == books_chart(books)
