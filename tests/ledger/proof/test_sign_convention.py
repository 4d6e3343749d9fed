"""The sign in which the service states balances."""

from __future__ import annotations

import json
from decimal import Decimal

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


@pytest.mark.parametrize("signs", [
    {"1000": 1, "1020": 1, "2000": -1, "2800": -1},
    {"1000": 1, "2000": -1},
    # More accounts of classes that raw and the mirror image have in common than others.
    {"1000": 1, "1020": 1, "3400": -1, "4000": 1, "4200": 1, "4400": 1, "5000": 1},
])  # fmt: skip
def test_the_mirror_image_of_the_natural_reading_contradicts(signs: dict[str, int]) -> None:
    assert "mirror" in SignConvention(signs).contradiction(KINDS)
    assert SignConvention({accno: -sign for accno, sign in signs.items()}).contradiction(KINDS) == ""


def test_signs_that_follow_no_convention_contradict() -> None:
    mixed = {"1000": -1, "1020": -1, "2000": 1, "3400": -1, "3401": -1, "3402": -1, "4000": -1, "4200": 1, "2100": 1}
    assert "no known convention" in SignConvention(mixed).contradiction(KINDS)


def test_accounts_of_a_class_that_tells_nothing_apart_are_undecided() -> None:
    assert "mirror image alike" in SignConvention({"1000": 1, "1020": 1}).contradiction(KINDS)
    assert SignConvention({"1000": -1, "1020": -1}).contradiction(KINDS) == "", "natural and debit positive agree"


def test_contra_accounts_that_move_later_do_not_undo_a_reading_that_was_carried() -> None:
    known = SignConvention({**NATURAL, "1109": 1})
    later = known.with_signs({"1509": 1, "2850": -1, "2860": -1}, "2026-02")
    heavy = {"1509": Decimal(9000), "1000": Decimal(1)}
    assert "no known convention" in later.contradiction(KINDS, heavy), "all at once, they are too many"
    assert later.contradiction(KINDS, heavy, known) == ""
    most = {f"{digit}5{number}": sign for digit, sign in ((1, 1), (2, -1)) for number in range(10, 20)}
    mirrored = known.with_signs(most, "2026-02")
    assert "mirror" in mirrored.contradiction(KINDS, heavy, known)


def test_as_many_contra_accounts_as_plain_ones_are_carried_by_amount() -> None:
    plain, contra = {"1000": -1, "1020": -1, "2000": 1}, {"1109": 1, "1509": 1, "2850": -1}
    heavy = {accno: Decimal(1000) for accno in plain}
    light = {accno: Decimal(10) for accno in contra}
    assert SignConvention({**plain, **contra}).contradiction(KINDS, {**heavy, **light}) == ""
    mirrored = {accno: -sign for accno, sign in {**plain, **contra}.items()}
    assert SignConvention(mirrored).contradiction(KINDS, {**heavy, **light})


def test_signs_that_were_forgotten_are_recorded() -> None:
    known = SignConvention(NATURAL).without_signs(["1000"], {"at": "2026-01-01"})
    assert known.sign("1000") is None
    assert known.sign("1020") == -1
    assert known.records == ({"at": "2026-01-01", "forgotten": {"1000": -1}},)
    assert known.without_signs([], {}).signs == {}
    assert SignConvention.from_dict(json.loads(json.dumps(known.as_dict()))) == known


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
