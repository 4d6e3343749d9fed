"""Rows for the tests of the destinations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from airflow_provider_rma.ledger.arrow_schemas import empty_table, schema
from airflow_provider_rma.ledger.destinations.base import Destination, WindowTables
from airflow_provider_rma.ledger.windows import Window

JULY, AUGUST, SEPTEMBER = (Window.of(date(2026, month, 1)) for month in (7, 8, 9))
TENANT = "acme"


def raw(amount: Decimal | str | int) -> Decimal:
    return Decimal(amount).quantize(Decimal("1e-8"))


def posting(
    accno: str, amount: Decimal | str | int, *, window: Window = AUGUST, load: str = "L1", **values: Any
) -> dict[str, Any]:
    """A posting; what is not given is something plausible."""
    number = raw(amount)
    return {
        "tenant": TENANT,
        "month": window.start,
        "transdate": window.start.replace(day=5),
        "accno": accno,
        "account_name": f"Konto {accno}",
        "amount": number,
        "debit": max(-number, raw(0)),
        "credit": max(number, raw(0)),
        "voucher_id": 1,
        "module": "gl",
        "reference": "R-1",
        "description": "Testbuchung",
        "entry_id": 1,
        "load_id": load,
        **values,
    }


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema(name))


def batch(*rows: Mapping[str, Any]) -> pa.RecordBatch:
    return table("postings", rows).combine_chunks().to_batches()[0]


def balances(
    *rows: tuple[str, str | None, str | None],
    window: Window = AUGUST,
    load: str = "L1",
    sign: int | None = 1,
    **values: Any,
) -> pa.Table:
    """Balance-sheet rows: account, opening, closing."""
    return table(
        "balances",
        (
            {
                "tenant": TENANT,
                "month": window.start,
                "accno": accno,
                "account_name": f"Konto {accno}",
                "opening": None if opening is None else raw(opening),
                "closing": None if closing is None else raw(closing),
                "sign": sign,
                "basis": "to",
                "load_id": load,
                **values,
            }
            for accno, opening, closing in rows
        ),
    )


def proofs(
    *accounts: str,
    window: Window = AUGUST,
    load: str = "L1",
    verdict: str = "exact",
    loaded: bool = True,
    **values: Any,
) -> pa.Table:
    """The row of the window, and one per account."""
    return table(
        "proofs",
        (
            {
                "tenant": TENANT,
                "month": window.start,
                "accno": accno,
                "difference": raw(0),
                "verdict": verdict,
                "load_id": load,
                "loaded": loaded,
                **values,
            }
            for accno in (None, *accounts)
        ),
    )


def load_row(
    rows: int, *, window: Window = AUGUST, load: str = "L1", verdict: str = "exact", loaded: bool = True, **values: Any
) -> pa.Table:
    moment = datetime(2026, 9, 1, 3, 0, 0, 123456, UTC)
    row = {
        "load_id": load,
        "tenant": TENANT,
        "month": window.start,
        "started_at": moment,
        "finished_at": moment,
        "rows": rows,
        "verdict": verdict,
        "loaded": loaded,
        **values,
    }
    return table("loads", [row])


def change(voucher_id: int, kind: str = "amended", *, window: Window = AUGUST, load: str = "L2", **values: Any) -> Any:
    """A row of the table ``changes``."""
    row = {
        "load_id": load,
        "tenant": TENANT,
        "month": window.start,
        "module": "gl",
        "voucher_id": voucher_id,
        "reference": f"R-{voucher_id}",
        "change": kind,
        "lines_before": 2,
        "lines_after": 3,
        "debit_before": raw("10"),
        "debit_after": raw("12.5"),
    }
    return row | values


def load_window(
    destination: Destination,
    postings: Iterable[Mapping[str, Any]],
    *,
    window: Window = AUGUST,
    load: str = "L1",
    verdict: str = "exact",
    stated: pa.Table | None = None,
    changes: Iterable[Mapping[str, Any]] = (),
    **values: Any,
) -> None:
    """Stage and commit a window. ``values`` (e.g. ``tenant``) go into every row."""
    rows = [{**row, "month": window.start, "load_id": load, **values} for row in postings]
    with destination.stage(values.get("tenant", TENANT), window) as stage:
        if rows:
            stage.write(batch(*rows))
        stage.commit(
            WindowTables(
                proofs=proofs(window=window, load=load, verdict=verdict, **values),
                load=load_row(len(rows), window=window, load=load, verdict=verdict, **values),
                balances=empty_table("balances") if stated is None else stated,
                changes=table("changes", changes).to_batches() if changes else (),
            )
        )


def reject_window(
    destination: Destination, *, window: Window = AUGUST, load: str = "L2", verdict: str = "broken", **values: Any
) -> None:
    common: dict[str, Any] = {"window": window, "load": load, "verdict": verdict, "loaded": False}
    with destination.stage(values.get("tenant", TENANT), window) as stage:
        stage.write(batch(posting("1000", 999, window=window, load=load, **values)))
        stage.reject(WindowTables(proofs=proofs("1000", **common, **values), load=load_row(1, **common, **values)))
