"""The proof: exact arithmetic, the right verdict, the right reason, the right names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.ledger.proof.accounts import AccountKind, AccountKinds
from airflow_provider_rma.ledger.proof.balances import StatedBalance
from airflow_provider_rma.ledger.proof.prove import PostingTotals, Proof, UnbalancedVoucher, chf, prove, unsettled_proof
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import Verdict, gravest

KINDS = AccountKinds()
D = Decimal
KNOWN = SignConvention({"1000": -1, "1020": -1, "2800": 1, "3400": 1, "6000": -1})


def to(opening: Any, closing: Any) -> StatedBalance:
    return StatedBalance(
        "to", opening=None if opening is None else D(opening), closing=None if closing is None else D(closing)
    )


def period(movement: Any) -> StatedBalance:
    return StatedBalance("from_to", movement=D(movement))


def postings(rows: int = 2, announced: int | None = 2, unbalanced: Any = (), **movements: str) -> PostingTotals:
    return PostingTotals(rows, announced, {accno[1:]: D(amount) for accno, amount in movements.items()}, unbalanced)


def proof(given_postings: PostingTotals, stated: Mapping[str, StatedBalance], **kwargs: Any) -> Proof:
    return prove("2026-01", given_postings, stated, **{"convention": KNOWN, "kinds": KINDS} | kwargs)


def codes(one: Proof) -> list[str]:
    return [reason.code for reason in one.reasons]


SALE = {"a1020": "-100", "a3400": "100"}
SALE_STATED = {"1020": to("50", "150"), "3400": period("100")}


def test_agreement_is_exact() -> None:
    one = proof(postings(**SALE), SALE_STATED)
    assert one.verdict is Verdict.EXACT
    assert one.verdict.is_proven
    assert one.reasons == ()
    bank, sales = one.accounts
    assert (bank.accno, bank.opening, bank.movements, bank.expected, bank.closing, bank.difference) == (
        "1020", D("-50"), D("-100"), D("-150"), D("-150"), 0,
    )  # fmt: skip
    assert (sales.accno, sales.opening, sales.expected, sales.closing) == ("3400", 0, 100, 100)


def test_an_empty_month_without_movement_is_exact_whatever_the_signs() -> None:
    one = proof(postings(0, 0), {"1020": to("50", "50"), "2000": to("0", "0")}, convention=SignConvention())
    assert one.verdict is Verdict.EXACT
    assert one.convention == SignConvention()
    assert one.accounts_without_sign() == ["1020"], "an account of nothing needs no sign"
    assert one.accounts[0].opening is None


def test_a_difference_names_the_account_and_every_figure() -> None:
    one = proof(postings(**{**SALE, "a1020": "-99"}), SALE_STATED)
    assert one.verdict is Verdict.BROKEN
    assert not one.verdict.is_proven
    assert codes(one) == ["account_difference"]
    assert "Account 1020" in one.reasons[0].text
    assert "opening -50.00 CHF and postings of -99.00 CHF make -149.00 CHF" in one.reasons[0].text
    assert "states -150.00 CHF; difference -1.00 CHF" in one.reasons[0].text
    assert one.accounts[0].reasons == one.reasons


@pytest.mark.parametrize(("off", "verdict"), [("0.01", "tolerated"), ("-0.01", "tolerated"), ("0.0101", "broken")])
def test_the_tolerance_is_declared_and_exact(off: str, verdict: str) -> None:
    one = proof(postings(**{**SALE, "a3400": str(100 + D(off))}), SALE_STATED)
    assert one.verdict == verdict
    assert codes(one) == ["account_difference"]
    assert proof(postings(**{**SALE, "a3400": "101"}), SALE_STATED, tolerance=D(1)).verdict is Verdict.TOLERATED
    assert proof(postings(**{**SALE, "a3400": "100.01"}), SALE_STATED, tolerance=D(0)).verdict is Verdict.BROKEN


def test_an_account_that_moved_without_a_posting() -> None:
    one = proof(postings(**SALE), {**SALE_STATED, "1000": to("10", "5")})
    assert one.verdict is Verdict.BROKEN
    assert codes(one) == ["account_without_postings"]
    assert "Account 1000 has no posting, yet the service states that it moved by 5.00 CHF" in one.reasons[0].text


def test_an_account_with_postings_that_the_service_does_not_state() -> None:
    one = proof(postings(**SALE, a6000="-7"), SALE_STATED)
    assert codes(one) == ["account_not_stated"]
    assert "Account 6000 has postings of -7.00 CHF" in one.reasons[0].text
    assert proof(postings(**SALE, a6000="0"), SALE_STATED).verdict is Verdict.EXACT, "it has not moved"


def test_an_account_that_is_no_longer_listed_has_a_balance_of_zero() -> None:
    assert proof(postings(**SALE, a1000="40"), {**SALE_STATED, "1000": to("40", None)}).verdict is Verdict.EXACT
    assert proof(postings(**SALE, a1000="-40"), {**SALE_STATED, "1000": to(None, "40")}).verdict is Verdict.EXACT


@pytest.mark.parametrize(("amount", "verdict"), [("0.01", "tolerated"), ("-1", "broken")])
def test_a_voucher_out_of_balance_is_named(amount: str, verdict: str) -> None:
    voucher = UnbalancedVoucher("ar", 10204, "R-001", D(amount))
    one = proof(postings(**SALE, unbalanced=[voucher]), SALE_STATED)
    assert one.verdict == verdict
    assert codes(one) == ["voucher_unbalanced"]
    assert "Voucher ar 10204 (reference R-001)" in one.reasons[0].text
    assert chf(D(amount)) in one.reasons[0].text
    assert one.reasons[0].as_dict() == {"code": "voucher_unbalanced", "text": one.reasons[0].text}


def test_vouchers_are_named_by_weight_and_odd_references_stay_on_their_line() -> None:
    found = [
        UnbalancedVoucher("gl", 1, "", D("0.005")),
        UnbalancedVoucher("ap", 2, "long " * 20, D("-3")),
        UnbalancedVoucher("ar", 3, "two\nlines", D("2")),
    ]
    texts = [reason.text for reason in proof(postings(**SALE, unbalanced=found), SALE_STATED).reasons]
    assert [text.split("(")[0] for text in texts] == ["Voucher ap 2 ", "Voucher ar 3 ", "Voucher gl 1 "]
    assert "reference two lines" in texts[1]
    assert "without reference" in texts[2]
    assert len(texts[0]) < 120


def test_the_announced_number_is_held_against_the_postings() -> None:
    assert codes(proof(postings(2, 3, **SALE), SALE_STATED)) == ["count_wrong"]
    assert proof(postings(2, 3, **SALE), SALE_STATED).verdict is Verdict.BROKEN
    unannounced = proof(postings(2, None, **SALE), SALE_STATED)
    assert (unannounced.verdict, codes(unannounced)) == (Verdict.UNPROVEN, ["count_not_announced"])
    assert proof(postings(0, None), {}).verdict is Verdict.EXACT, "an empty answer in JSON may announce nothing"


def test_nothing_where_something_was_is_suspicious_if_balances_still_move() -> None:
    moved = proof(postings(0, 0), SALE_STATED, rows_before=2)
    assert moved.verdict is Verdict.SUSPICIOUS_EMPTY
    assert codes(moved) == ["emptied", "account_without_postings", "account_without_postings"]
    assert "No posting came where 2 are loaded" in moved.reasons[0].text
    assert proof(postings(0, 0), SALE_STATED).verdict is Verdict.BROKEN, "nothing was loaded before"
    assert proof(postings(0, 0), {"1020": to("50", "50")}, rows_before=2).verdict is Verdict.EXACT


def test_books_that_move_are_unsettled_and_the_accounts_named() -> None:
    one = unsettled_proof([str(1000 + number) for number in range(7)], 3, KNOWN)
    assert (one.verdict, codes(one)) == (Verdict.UNSETTLED, ["balances_moved"])
    assert "1000, 1001, 1002, 1003, 1004 and 2 more" in one.reasons[0].text
    assert one.convention is KNOWN


# ---------------------------------------------------------------------- signs


def test_signs_are_learnt_from_the_first_movement() -> None:
    one = proof(postings(**SALE), SALE_STATED, convention=SignConvention())
    assert one.verdict is Verdict.EXACT
    assert one.convention.signs == {"1020": -1, "3400": 1}
    assert one.convention.learned_in == {"1020": "2026-01", "3400": "2026-01"}
    assert one.accounts[0].opening == D("-50")


def test_a_sign_that_is_known_is_not_fitted_again() -> None:
    turned = {"1020": to("-50", "-150"), "3400": period("100")}
    one = proof(postings(**SALE), turned)
    assert (one.verdict, codes(one)) == (Verdict.BROKEN, ["sign_changed"])
    assert "Account 1020" in one.reasons[0].text
    assert one.convention == KNOWN


def test_a_window_with_a_break_teaches_no_sign() -> None:
    broken = {**SALE_STATED, "1000": to("0", "5")}
    one = proof(postings(**SALE), broken, convention=SignConvention({"1000": -1}))
    assert one.verdict is Verdict.BROKEN
    assert one.convention.signs == {"1000": -1}
    assert codes(one) == ["account_without_postings", "sign_unknown", "sign_unknown"]
    assert [account.verdict for account in one.accounts] == ["broken", "unproven", "unproven"]


def test_signs_that_follow_no_convention_prove_nothing() -> None:
    moved = postings(a1000="-1", a1020="-2", a2000="1", a2800="2")
    upside_down = {"1000": to(0, -1), "1020": to(0, -2), "2000": to(0, -1), "2800": to(0, -2)}
    one = proof(moved, upside_down, convention=SignConvention())
    assert one.verdict is Verdict.UNPROVEN
    assert codes(one) == ["sign_unknown"] * 4
    assert "no known convention" in one.reasons[0].text
    assert one.convention == SignConvention()


def test_a_contra_account_is_taken_as_it_is_and_said() -> None:
    moved = postings(a1109="20", a6000="-20")
    one = proof(moved, {"1109": to(0, "20"), "6000": period("20")})
    assert one.verdict is Verdict.EXACT
    assert codes(one) == ["sign_deviates"]
    assert "Account 1109" in one.reasons[0].text
    again = proof(moved, {"1109": to("20", "40"), "6000": period("20")}, convention=one.convention)
    assert again.reasons == ()


def test_a_movement_too_small_to_tell_teaches_no_sign() -> None:
    one = proof(postings(a1020="-0.005", a2000="0.005"), {"1020": to(0, "0.005"), "2000": to(0, "0.005")},
                convention=SignConvention())  # fmt: skip
    assert one.verdict is Verdict.EXACT
    assert one.convention == SignConvention()


# ---------------------------------------------------------------------- properties

ACCOUNTS = ("1000", "1020", "1100", "2000", "2800", "3400", "4000", "6000", "7000", "9100")
SIGNS = {accno: 1 if accno[0] in "2379" else -1 for accno in ACCOUNTS}
CENTS = st.integers(-(10**9), 10**9).map(lambda cents: D(cents) / 100)


@st.composite
def vouchers(draw: st.DrawFn) -> list[dict[str, Decimal]]:
    """Balanced vouchers: account to raw amount."""
    found = []
    for _ in range(draw(st.integers(0, 8))):
        accounts = draw(st.lists(st.sampled_from(ACCOUNTS), min_size=2, max_size=5, unique=True))
        amounts = [draw(CENTS) for _ in accounts[1:]]
        found.append(dict(zip(accounts, [*amounts, -sum(amounts)], strict=True)))
    return found


def summed(documents: list[dict[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for document in documents:
        for accno, amount in document.items():
            sums[accno] += amount
    return dict(sums)


def read(documents: list[dict[str, Decimal]]) -> PostingTotals:
    rows = sum(len(document) for document in documents)
    off = [
        UnbalancedVoucher("gl", number, "", total)
        for number, document in enumerate(documents)
        if (total := sum(document.values(), D(0)))
    ]
    return PostingTotals(rows, rows, summed(documents), off)


def stated_by(openings: Mapping[str, Decimal], movements: Mapping[str, Decimal]) -> dict[str, StatedBalance]:
    found = {}
    for accno in sorted(openings.keys() | movements.keys()):
        sign, moved = SIGNS[accno], movements.get(accno, D(0))
        if KINDS.kind(accno) is AccountKind.BALANCE_SHEET:
            opening = openings.get(accno, D(0))
            found[accno] = StatedBalance("to", opening=sign * opening, closing=sign * (opening + moved))
        elif accno in movements:
            found[accno] = StatedBalance("from_to", movement=sign * moved)
    return found


OPENINGS = st.dictionaries(st.sampled_from([accno for accno in ACCOUNTS if accno[0] in "12"]), CENTS)


@given(vouchers(), OPENINGS)
def test_right_books_are_always_exact(documents: list[dict[str, Decimal]], openings: dict[str, Decimal]) -> None:
    stated = stated_by(openings, summed(documents))
    fresh = proof(read(documents), stated, convention=SignConvention())
    assert fresh.verdict is Verdict.EXACT
    assert all(sign == SIGNS[accno] for accno, sign in fresh.convention.signs.items())
    settled = proof(read(documents), stated, convention=SignConvention(SIGNS))
    assert settled.verdict is Verdict.EXACT
    assert all(account.closing == account.expected for account in settled.accounts)


@given(vouchers().filter(lambda documents: any(any(document.values()) for document in documents)), OPENINGS, st.data())
def test_a_posting_that_is_lost_doubled_or_altered_is_always_found(
    documents: list[dict[str, Decimal]], openings: dict[str, Decimal], data: st.DataObject
) -> None:
    stated = stated_by(openings, summed(documents))
    number, accno = data.draw(
        st.sampled_from([(n, accno) for n, one in enumerate(documents) for accno, amount in one.items() if amount])
    )
    factor = data.draw(st.sampled_from([0, 2, -1]))
    tampered = [dict(document) for document in documents]
    tampered[number][accno] *= factor
    one = proof(read(tampered), stated, convention=SignConvention(SIGNS), tolerance=D(0))
    assert one.verdict is Verdict.BROKEN
    assert {account.accno for account in one.accounts if account.verdict is Verdict.BROKEN} == {accno}
    assert any(f"Voucher gl {number} " in reason.text for reason in one.reasons)


@given(vouchers().filter(lambda documents: any(any(document.values()) for document in documents)), st.data())
def test_a_balanced_ghost_is_found_by_the_accounts_alone(
    documents: list[dict[str, Decimal]], data: st.DataObject
) -> None:
    ghost = data.draw(st.sampled_from([document for document in documents if any(document.values())]))
    one = proof(
        read([*documents, ghost]), stated_by({}, summed(documents)), convention=SignConvention(SIGNS), tolerance=D(0)
    )
    assert one.verdict is Verdict.BROKEN
    assert {reason.code for reason in one.reasons} <= {"account_difference", "sign_changed", "account_not_stated"}
    broken = {account.accno for account in one.accounts if account.verdict is Verdict.BROKEN}
    assert broken == {accno for accno, amount in ghost.items() if amount}


@given(st.lists(st.sampled_from(list(Verdict))))
def test_the_gravest_verdict_counts_in_any_order(verdicts: list[Verdict]) -> None:
    assert gravest(verdicts) is gravest(reversed(verdicts))
    assert gravest([]) is Verdict.EXACT
    order = [Verdict.EXACT, Verdict.TOLERATED, Verdict.BALANCES_ONLY, Verdict.UNPROVEN, Verdict.BROKEN,
             Verdict.BROKEN_CHAIN, Verdict.SUSPICIOUS_EMPTY, Verdict.UNSETTLED]  # fmt: skip
    assert gravest(verdicts) is max(verdicts, key=order.index, default=Verdict.EXACT)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00 CHF"),
        ("-0.00", "0.00 CHF"),
        ("1E+3", "1000.00 CHF"),
        ("-0.005", "-0.005 CHF"),
        ("2.50000000", "2.50 CHF"),
    ],
)
def test_amounts_are_written_for_people(amount: str, text: str) -> None:
    assert chf(D(amount)) == text
