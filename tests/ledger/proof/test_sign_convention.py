"""The sign in which the service states balances."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.exceptions import LedgerError
from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention

KINDS = AccountKinds()
NATURAL = {"1000": -1, "1020": -1, "2000": 1, "2800": 1, "3400": 1, "4000": -1, "5000": -1, "6000": -1}


def test_conventions_have_names() -> None:
    assert SignConvention(NATURAL).names(KINDS) == {"balance_sheet": "natural", "income_statement": "natural"}
    assert SignConvention(dict.fromkeys(NATURAL, 1)).names(KINDS) == {"balance_sheet": "raw", "income_statement": "raw"}
    turned = SignConvention(dict.fromkeys(NATURAL, -1))
    assert turned.names(KINDS) == {"balance_sheet": "debit_positive", "income_statement": "debit_positive"}
    mixed = SignConvention({"1000": -1, "2000": 1, "3400": -1, "4000": -1})
    assert mixed.names(KINDS) == {"balance_sheet": "natural", "income_statement": "debit_positive"}
    assert SignConvention().names(KINDS) == {"balance_sheet": "unknown", "income_statement": "unknown"}


def test_a_contra_account_deviates_and_does_not_change_the_name() -> None:
    convention = SignConvention({**NATURAL, "1109": 1, "1100": -1, "1200": -1})
    assert convention.names(KINDS)["balance_sheet"] == "natural"
    assert convention.deviations(KINDS) == ["1109"]
    assert convention.contradiction(KINDS) == ""


def test_classes_that_hold_income_and_expenses_have_no_expected_sign() -> None:
    convention = SignConvention({**NATURAL, "7000": 1, "7010": -1, "8000": 1, "8500": -1, "8510": 1})
    assert convention.names(KINDS)["income_statement"] == "natural"
    assert convention.deviations(KINDS) == []


def test_signs_that_follow_no_convention_contradict() -> None:
    upside_down = SignConvention({"1000": 1, "1020": 1, "2000": -1, "2800": -1})
    assert upside_down.names(KINDS)["balance_sheet"] == "contradictory"
    assert "balance-sheet" in upside_down.contradiction(KINDS)
    assert SignConvention({"1000": 1, "2000": -1}).contradiction(KINDS) == "", (
        "two accounts may both be contra accounts"
    )


def test_what_is_known_stays() -> None:
    first = SignConvention().with_signs({"1000": -1}, "2026-01")
    second = first.with_signs({"1000": 1, "2000": 1}, "2026-02")
    assert second.signs == {"1000": -1, "2000": 1}
    assert second.learned_in == {"1000": "2026-01", "2000": "2026-02"}
    assert second.with_signs({"1000": 1}, "2026-03") is second


@given(st.dictionaries(st.text("0123456789", min_size=4, max_size=5), st.sampled_from([1, -1])))
def test_what_is_stored_is_read_again(signs: dict[str, int]) -> None:
    convention = SignConvention().with_signs(signs, "2026-01")
    assert SignConvention.from_dict(json.loads(json.dumps(convention.as_dict()))) == convention


@pytest.mark.parametrize(
    "stored",
    [{}, {"version": 2, "signs": {}, "learnt": {}}, {"version": 1, "signs": []}, {"version": 1, "learnt": {}},
     {"version": 1, "signs": {"1000": 0}, "learnt": {}}],
)  # fmt: skip
def test_a_stored_convention_that_cannot_be_read_is_not_replaced_by_a_guess(stored: dict[str, object]) -> None:
    with pytest.raises(LedgerError, match="sign convention"):
        SignConvention.from_dict(stored)
