"""Kinds of accounts, and the chart by number."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds, numbers_by_id, read_accounts

KINDS = AccountKinds()


@pytest.mark.parametrize(
    ("accno", "kind"),
    [("1020", "balance_sheet"), ("2990", "balance_sheet"), ("3400", "income_statement"), ("6940", "income_statement"),
     ("7500", "income_statement"), ("8900", "income_statement"), ("9100", "closing"), ("0100", "unknown"),
     ("X1", "unknown"), ("38011", "income_statement")],
)  # fmt: skip
def test_the_first_digit_tells_the_kind(accno: str, kind: str) -> None:
    assert KINDS.kind(accno) == kind
    assert KINDS.source(accno) == "first_digit"


def test_a_mapping_tells_more_and_the_narrowest_pattern_counts() -> None:
    kinds = AccountKinds({"79xx": "balance_sheet", "791x": "closing", "7915": "income_statement", "9X00": "closing"})
    assert [kinds.kind(accno) for accno in ("7900", "7911", "7915", "79100", "9200", "1020")] == [
        AccountKind.BALANCE_SHEET,
        AccountKind.CLOSING,
        AccountKind.INCOME_STATEMENT,
        AccountKind.INCOME_STATEMENT,
        AccountKind.CLOSING,
        AccountKind.BALANCE_SHEET,
    ]
    assert kinds.source("7911") == "mapping"
    assert kinds.source("79100") == "first_digit"


@pytest.mark.parametrize("mapping", [{"1020": "assets"}, {"1020": "unknown"}, {"10 20": "closing"}, {"": "closing"}])
def test_a_mapping_that_says_nothing_is_refused(mapping: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="account_kinds"):
        AccountKinds(mapping)


def test_the_chart_is_read_by_number() -> None:
    account = {"accno": "1020", "description": "Bank", "link": "AR_paid", "allow_gl": True, "is_active": None}
    (found,) = read_accounts([account | {"id": 7001}]).values()
    assert asdict(found) == account | {"rma_id": 7001}


def test_an_id_that_two_accounts_have_identifies_neither() -> None:
    charts = [{"accno": "1000", "id": 1}, {"accno": "1010", "id": 2}, {"accno": "1020", "id": 2}, {"accno": "1030"}]
    stub = {"accno": "1040", "id": 0}
    assert numbers_by_id(read_accounts([*charts, stub]).values()) == {"1": "1000"}
