"""Invoices beside the tenant's customers, articles and accounts."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_rma.billing.kinds.invoice_document import read_invoice
from airflow_provider_rma.billing.kinds.master_data import describe_overwrite, read_master_data
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.exceptions import NotFoundError
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice

PART = {"partnumber": "ART-1", "quantity": "1", "sellprice": "1"}


def problems(client: FakeClient, refused: dict[str, str] | None = None, **fields: Any) -> list[str]:
    document = read_invoice(make_invoice(**{"customernumber": "K-1"} | fields), 1, InputRules(send_customers=True))
    return list(read_master_data(client.as_client()).problems(document, refused or {}))


def test_an_invoice_of_what_the_tenant_has_is_fine(client: FakeClient) -> None:
    assert problems(client) == []
    assert problems(client, incomeentries=None, taxentries=None, parts=[PART]) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"customernumber": "K-2"}, "customernumber: there is no customer K-2 in RMA; create the customer first"),
        ({"ar_accno": "1109"}, "ar_accno: there is no account 1109 in RMA"),
        (
            {"taxentries": [{"amount": "1", "tax_accno": "2299"}]},
            "taxentries[0].tax_accno: there is no account 2299 in RMA",
        ),
        (
            {"incomeentries": None, "taxentries": None, "parts": [PART, PART | {"partnumber": "ART-2"}]},
            "parts[1].partnumber: there is no article ART-2 in RMA",
        ),
        (
            {"incomeentries": None, "taxentries": None, "parts": [PART | {"income_accno": "3999"}]},
            "parts[0].income_accno: there is no account 3999 in RMA",
        ),
    ],
)
def test_what_the_tenant_does_not_have_is_named(client: FakeClient, fields: dict[str, Any], problem: str) -> None:
    (found,) = problems(client, **fields)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"customernumber": "k-1"}, "customernumber: there is no customer k-1 in RMA; RMA writes it K-1, use that"),
        (
            {"customernumber": None, "customer": {"customernumber": "k-1", "name": "Alphütte AG"}},
            "customernumber: there is no customer k-1 in RMA; RMA writes it K-1, use that",
        ),
        (
            {"incomeentries": None, "taxentries": None, "parts": [PART | {"partnumber": "art-1"}]},
            "parts[0].partnumber: there is no article art-1 in RMA; RMA writes it ART-1, use that",
        ),
    ],
)
def test_a_number_that_rma_writes_otherwise_is_named(client: FakeClient, fields: dict[str, Any], problem: str) -> None:
    assert problems(client, **fields) == [problem]


@pytest.mark.parametrize("name", ["Flaumfeder Kanarienvogel", "Müller", "anna77@example.com", "CH5604835012345678009"])
def test_what_may_be_a_name_in_the_place_of_a_number_is_not_quoted(client: FakeClient, name: str) -> None:
    lines = {"incomeentries": None, "taxentries": None, "parts": [PART | {"partnumber": name}]}
    found = problems(client, customernumber=name, **lines)
    assert found == [
        "customernumber: there is no customer of that number in RMA; create the customer first",
        "parts[0].partnumber: there is no article of that number in RMA; have it created, or use one that exists",
    ]


def test_a_customer_refused_under_another_spelling_is_the_cause(client: FakeClient) -> None:
    (found,) = problems(client, {"K-2": "address1 too long"}, customernumber="k-2")
    assert found == "customernumber: customer k-2 was refused (address1 too long)"


def test_an_account_of_zero_leaves_the_choice_to_rma(client: FakeClient) -> None:
    assert problems(client, incomeentries=None, taxentries=None, parts=[PART | {"income_accno": "0"}]) == []


def test_a_customer_who_was_refused_before_is_the_cause(client: FakeClient) -> None:
    assert problems(client, {"K-2": "address1 too long"}, customernumber="K-2") == [
        "customernumber: customer K-2 was refused (address1 too long)"
    ]


def test_an_invoice_that_brings_its_customer_needs_none(client: FakeClient) -> None:
    assert problems(client, customernumber=None, customer={"customernumber": "K-2", "name": "Alphütte AG"}) == []


def test_without_a_chart_of_accounts_accounts_are_not_checked(client: FakeClient) -> None:
    def missing() -> list[dict[str, Any]]:
        raise NotFoundError("no such thing", status=404)

    client.list_charts = missing  # type: ignore[method-assign]
    assert problems(client, ar_accno="1109") == []


@pytest.mark.parametrize(
    ("booked", "effect"),
    [
        (None, ("create", [], [])),
        ({"name": "Alphütte AG", "city": "Chur"}, ("none", [], [])),
        ({"name": "Alphütte  AG", "city": "Davos", "phone": "000"}, ("overwrite", ["city"], ["phone"])),
        ({"name": "Alphütte AG", "city": "Chur", "phone": "", "id": "7"}, ("none", [], [])),
    ],
)
def test_sending_a_full_customer_is_described_by_names_of_fields(
    booked: dict[str, Any] | None, effect: tuple[str, list[str], list[str]]
) -> None:
    customer = {"customernumber": "K-1", "name": "Alphütte AG", "city": "Chur"}
    described = describe_overwrite(customer, None if booked is None else {"customernumber": "K-1"} | booked)
    assert (described["action"], described["changed"], described["lost"]) == effect
