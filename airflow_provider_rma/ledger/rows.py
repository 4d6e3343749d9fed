"""Rows of the tables beside the postings: accounts, balances, proofs, loads."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pendulum

from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.proof.accounts import Account, AccountKinds
from airflow_provider_rma.ledger.proof.balances import BalanceStatement
from airflow_provider_rma.ledger.proof.prove import Proof
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import Reason
from airflow_provider_rma.ledger.windows import MonthLoad

#: Reasons kept in the row of a window; those of an account are kept in its own row as well.
MAX_REASONS = 1_000

_STEP = Decimal(1).scaleb(-contract.SCALE)


def new_load_id() -> str:
    """Make the id of a load: its time in UTC, and something that no other load has. Ids sort by time."""
    return f"{pendulum.now('UTC').format('YYYYMMDD[T]HHmmssSSS')}-{uuid.uuid4().hex[:8]}"


@cache
def provider_version() -> str:
    """Return the version of this package, empty where it is not installed."""
    try:
        return version("airflow-provider-rma")
    except PackageNotFoundError:
        return ""


def accounts_table(tenant: str, load_id: str, accounts: Mapping[str, Account], kinds: AccountKinds) -> pa.Table:
    """Make the rows of the chart of accounts."""
    rows = [
        {
            "tenant": tenant,
            "accno": account.accno,
            "description": account.description,
            "link": account.link,
            "allow_gl": account.allow_gl,
            "rma_id": account.rma_id,
            "is_active": account.is_active,
            "kind": kinds.kind(account.accno).value,
            "kind_source": kinds.source(account.accno),
            "load_id": load_id,
        }
        for account in accounts.values()
    ]
    return _table("accounts", rows)


def balances_table(
    load: MonthLoad, statement: BalanceStatement, names: Mapping[str, str], convention: SignConvention
) -> pa.Table:
    """Make the rows of the balances that the service states, in the sign it sent them in."""
    common = load.columns()
    rows = [
        {
            **common,
            "accno": accno,
            "account_name": names.get(accno) or None,
            "opening": _money(stated.opening),
            "movement": _money(stated.movement),
            "closing": _money(stated.closing),
            "sign": convention.sign(accno),
            "basis": stated.basis,
        }
        for accno, stated in statement.accounts.items()
    ]
    return _table("balances", rows)


def proofs_table(load: MonthLoad, proof: Proof, *, loaded: bool) -> pa.Table:
    """Make a row of the proof of each account, and one of the window as a whole, with the sums over all accounts."""
    common = {**load.columns(), "loaded": loaded}
    whole: dict[str, Any] = {
        "accno": None,
        "movements": _sum(account.movements for account in proof.accounts),
        "difference": _sum(account.difference for account in proof.accounts),
        "verdict": proof.verdict.value,
        "reasons": reasons_json(proof.reasons),
        "books_off_by": _money(proof.books_off_by),
    }
    rows = [
        {
            "accno": account.accno,
            "opening": _money(account.opening),
            "movements": _money(account.movements),
            "closing": _money(account.closing),
            "expected_closing": _money(account.expected),
            "difference": _money(account.difference),
            "verdict": account.verdict.value,
            "reasons": reasons_json(account.reasons),
        }
        for account in proof.accounts
    ]
    return _table("proofs", [{**common, **row} for row in (whole, *rows)])


def load_table(row: Mapping[str, Any]) -> pa.Table:
    """Make the one row of an attempt.

    :param row: values by column of ``loads``; times in UTC.
    """
    return _table("loads", [row])


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = arrow_schemas.schema(name)
    return pa.table(
        {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema}, schema
    )


def _money(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(_STEP)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0)).quantize(_STEP)


def reasons_json(reasons: Sequence[Reason]) -> str | None:
    """Format reasons as the table of proofs has them; null if there are none."""
    if not reasons:
        return None
    listed = [reason.as_dict() for reason in reasons[:MAX_REASONS]]
    if len(reasons) > MAX_REASONS:
        listed.append({"code": "more", "text": f"{len(reasons) - MAX_REASONS} further reasons are not listed."})
    return json.dumps(listed, ensure_ascii=False)
