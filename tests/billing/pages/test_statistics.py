"""What a plan comes to: reasons in groups, the largest documents, shapes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.billing.kinds.invoice_document import read_invoice
from airflow_provider_rma.billing.policy import InputRules
from tests.support.pages import plan_statistics, planned


def test_reasons_of_one_document_count_once_and_too_many_reasons_are_put_together() -> None:
    lines = tuple(f"parts[{line}].partnumber: there is no article A in RMA" for line in range(9))
    word = "".join
    plan = plan_statistics(
        planned(1, decision="invalid", reasons=lines),
        *(
            planned(place, decision="invalid", reasons=(word(chr(97 + int(digit)) for digit in str(place)),))
            for place in range(2, 602)
        ),
    )
    groups = plan.reasons.list_groups()
    assert [group.count for group in groups if "article" in group.sentence] == [1]
    assert len(groups) <= 201
    assert groups[0].sentence == "other reasons, see the file"
    assert sum(group.count for group in groups) == 601


@pytest.mark.parametrize(
    "record",
    [
        {"parts": [{"partnumber": "A", "quantity": 1, "sellprice": "2.00"}]},
        {"parts": [{"partnumber": "A", "quantity": -1, "sellprice": "2.00"}], "taxincluded": True},
        {
            "incomeentries": [{"amount": "10.00", "income_accno": "3400"}],
            "taxentries": [{"amount": "0.81", "tax_accno": "2201"}, {"amount": "0.10", "tax_accno": "2200"}],
        },
    ],
)
def test_shapes_are_those_by_which_documents_are_sent(record: dict[str, Any]) -> None:
    record |= {"invnumber": "R-1", "customernumber": "K-1", "transdate": date(2026, 10, 31)}
    document = read_invoice(record, 1, InputRules())
    totals = document.totals
    row = planned(1) | {
        "document": document.to_json(),
        "net": None if totals.net is None else str(totals.net),
        "gross": None if totals.gross is None else str(totals.gross),
    }
    (shape,) = plan_statistics(row).shapes
    method, included, currency, accounts, sign = document.shape
    assert shape.startswith(f"{method}, {currency}, {'credit note' if sign == 'negative' else 'invoice'}")
    assert ("tax included" in shape) == (included == "included")
    assert not accounts or shape.endswith(f"tax account {accounts}")
