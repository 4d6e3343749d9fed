"""Months that need not be read, because the service states the balances that it stated when they were last read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.ledger.proof.balances import BalanceStatement
from airflow_provider_rma.ledger.proof.prove import PROVEN, Reason, ReasonCode, StatedBalance, Verdict
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_rma.ledger.destinations import Destination

#: A month that was read in full longer ago than this is read again. Half a day less than a week: a daily run that
#: begins some minutes earlier than the one a week ago must not put it off by another day.
FULL_EVERY = timedelta(days=6, hours=12)


def last_read(loads: pa.Table) -> datetime | None:
    """When a month was last read in full and proven; None if it never was, or if a later reading was not.

    :param loads: its rows of ``loads``.
    """
    last = last_reading(loads)
    return last["started_at"] if last is not None else None


def last_reading(loads: pa.Table) -> dict[str, Any] | None:
    """The last full reading of a month, if it was loaded and proven: its row of ``loads``, times in UTC.

    :param loads: the month's rows of ``loads``.
    """
    readings = [
        row | {"started_at": _utc(row["started_at"])}
        for row in loads.to_pylist()
        if row["verdict"] != Verdict.BALANCES_ONLY
    ]
    last: dict[str, Any] | None = max(readings, key=lambda row: row["started_at"], default=None)
    return last if last is not None and last["loaded"] and last["verdict"] in PROVEN else None


def stored(balances: pa.Table) -> dict[str, StatedBalance]:
    """What the service stated when a month was loaded, by account number.

    :param balances: its rows of ``balances``.
    """
    return {
        row["accno"]: StatedBalance(
            row["basis"], opening=row["opening"], closing=row["closing"], movement=row["movement"]
        )
        for row in balances.to_pylist()
    }


def stands_since(
    destination: Destination, tenant: str, window: Window, statement: BalanceStatement, now: datetime
) -> datetime | None:
    """Since when a month may be taken as it is loaded: when it was last read in full. None if it has to be read.

    :param statement: what the service states now.
    :param now: the present, with a zone.
    """
    read = last_read(destination.table("loads", tenant, window))
    if read is None or not timedelta(0) <= now - read < FULL_EVERY:
        return None
    return read if stored(destination.table("balances", tenant, window)) == dict(statement.accounts) else None


def not_read(since: datetime) -> Reason:
    """Why a month was not read."""
    return Reason(
        ReasonCode.NOT_READ,
        f"Not read: the service states the same balances as at the last full reading ({since:%Y-%m-%d %H:%M} UTC).",
        Verdict.BALANCES_ONLY,
    )


def marked(proofs: pa.Table, load_id: str, reasons: str | None) -> pa.Table:
    """The proofs of what is loaded, marked as what they are when only balances were compared.

    :param proofs: rows of ``proofs`` of a month, those of a refused reading included.
    :param reasons: of the month as a whole, as JSON.
    """
    rows: list[Mapping[str, Any]] = [
        row
        | {"verdict": Verdict.BALANCES_ONLY.value, "load_id": load_id}
        | ({"reasons": reasons} if row["accno"] is None else {})
        for row in proofs.to_pylist()
        if row["loaded"]
    ]
    return type(proofs).from_pylist(rows, proofs.schema)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
