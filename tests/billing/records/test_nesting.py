from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.records.model import RefusedRecord
from airflow_provider_rma.billing.records.nesting import nest_rows
from airflow_provider_rma.exceptions import InvalidInputError


def nest(*rows: Any) -> list[Any]:
    return list(nest_rows(rows, key="invnumber"))


def test_a_booking_invoice_may_have_more_entries_than_taxes() -> None:
    (record,) = nest(
        {"invnumber": "R-1", "incomeentries__amount": 100, "taxentries__amount": 8.1},
        {"invnumber": "R-1", "incomeentries__amount": 50, "taxentries__amount": None},
    )
    assert record["incomeentries"] == [{"amount": 100}, {"amount": 50}]
    assert record["taxentries"] == [{"amount": 8.1}]


def test_an_embedded_customer_is_nested() -> None:
    (record,) = nest({"invnumber": "R-1", "customer__name": "Berghütte AG"})
    assert record["customer"] == {"name": "Berghütte AG"}


def test_rows_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"row 2 \(invnumber R-1\): customernumber: differs.*same value"):
        nest(
            {"invnumber": "R-1", "customernumber": "K-1", "parts__quantity": 1},
            {"invnumber": "R-1", "customernumber": "K-2", "parts__quantity": 1},
        )


@pytest.mark.parametrize("missing", [{}, {"customernumber": None}])
def test_a_further_row_that_leaves_a_value_out_is_refused(missing: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="customernumber: differs"):
        nest(
            {"invnumber": "R-1", "customernumber": "K-1", "parts__quantity": 1},
            {"invnumber": "R-1", "parts__quantity": 1} | missing,
        )


def test_values_that_are_not_equal_to_themselves_do_not_contradict() -> None:
    (record,) = nest(*[{"invnumber": "R-1", "description": float("nan"), "parts__quantity": n} for n in (1, 2)])
    assert [line["quantity"] for line in record["parts"]] == [1, 2]


def test_rows_of_an_invoice_must_follow_each_other() -> None:
    rows = [{"invnumber": number, "parts__quantity": 1} for number in ("R-1", "R-2", "R-1")]
    with pytest.raises(InvalidInputError, match="rows of R-1 appear again.*order the rows by invnumber"):
        nest(*rows)


@pytest.mark.parametrize("number", [260001, Decimal("260001"), 0, "\ud83d"])
def test_rows_are_tied_together_by_numbers_of_any_type(number: Any) -> None:
    (record,) = nest(*[{"invnumber": number, "parts__quantity": quantity} for quantity in (1, 2)])
    assert len(record["parts"]) == 2


def test_rows_without_a_number_are_records_of_their_own() -> None:
    assert len(nest(*[{"invnumber": None, "parts__quantity": 1}] * 2)) == 2


def test_a_row_without_any_line_makes_no_line() -> None:
    """As a LEFT JOIN gives it for an invoice without lines."""
    assert nest({"invnumber": "R-1", "parts__partnumber": None, "parts__quantity": None}) == [{"invnumber": "R-1"}]


@pytest.mark.parametrize(
    "row",
    [
        {"invnumber": "R-1", "parts": [{"quantity": 1}], "parts__quantity": 1},
        {"invnumber": "R-1", "parts": None, "parts__quantity": 1},
        {"invnumber": "R-1", "customer": {}, "customer__name": "x"},
        {"invnumber": "R-1", "incomeentries": [{"amount": 1}], "taxentries__amount": 1},
    ],
)
def test_nested_and_flat_lines_together_are_that_records_fault(row: dict[str, Any]) -> None:
    refused, good = nest(row, {"invnumber": "R-2", "parts__quantity": 1})
    assert isinstance(refused, RefusedRecord)
    assert (refused.number, refused.outcome, refused.record) == ("R-1", "invalid", row)
    assert refused.reasons[0].startswith("invnumber R-1: ")
    assert "are mixed; give all lines in lists, or one line per row in columns" in refused.reasons[0]
    assert good == {"invnumber": "R-2", "parts": [{"quantity": 1}]}


def test_a_list_beside_a_flat_customer_is_kept() -> None:
    row = {"invnumber": "R-1", "parts": [{"quantity": 1}], "customer__name": "x"}
    assert nest(row, row) == [{"invnumber": "R-1", "parts": [{"quantity": 1}], "customer": {"name": "x"}}] * 2


def test_lists_of_the_caller_are_not_changed() -> None:
    rows = [{"invnumber": "R-1", "parts__quantity": 1}, {"invnumber": "R-1", "parts__quantity": 2}]
    nest(*rows)
    assert rows == [{"invnumber": "R-1", "parts__quantity": 1}, {"invnumber": "R-1", "parts__quantity": 2}]


class Hostile(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


class Incomparable:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("row", [Hostile(), None, 1, "text", b"x", [], object(), float("nan")])
def test_what_is_no_record_is_refused_by_itself(row: Any) -> None:
    refused, good = nest(row, {"invnumber": "R-2"})
    assert isinstance(refused, RefusedRecord)
    assert refused.outcome == "invalid"
    assert refused.reasons[0].startswith("record 1: ")
    assert good == {"invnumber": "R-2"}


def test_odd_names_and_values_pass_on_to_the_schema() -> None:
    row = {1: 2, ("a",): "b", "": "c", "__x__": 3, None: 4, "invnumber": "R-1"}
    assert nest(row) == [row]
    values = Incomparable()
    with pytest.raises(InvalidInputError, match="notes: differs"):
        nest(*[{"invnumber": "R-1", "notes": note, "parts__quantity": 1} for note in (values, Incomparable())])
