"""Customers, vendors, articles and departments in the books."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_provider_rma.simulator.books.books import Books


def test_saved_customer_gets_the_defaults(books: Books) -> None:
    books.save_customer({"customernumber": "K-100", "name": "Gratblick Hütte", "arap_accno": "", "payment_accno": ""})
    customer = books.customer("K-100")
    assert customer is not None
    assert (customer["arap_accno"], customer["payment_accno"]) == ("1100", "1020")
    assert customer["tax_accnos"] == ["2201", "2202"]
    assert customer["curr"] == "CHF"
    assert customer["terms"] is None
    assert customer["email"] == ""
    assert customer["created"]


def test_saving_a_customer_again_overwrites_everything_but_its_id(books: Books) -> None:
    number = books.save_customer({"customernumber": "K-100", "name": "A", "email": "a@example.com", "terms": "30",
                                  "tax_accnos": "2201", "taxfree": "true"})  # fmt: skip
    first = books.customer("K-100")
    assert first is not None
    assert (first["terms"], first["tax_accnos"], first["taxfree"]) == (30, ["2201"], True)
    assert books.save_customer({"customernumber": "K-100", "name": "B"}) == number
    second = books.customer("K-100")
    assert second is not None
    assert (second["name"], second["email"], second["terms"]) == ("B", "", None)
    assert second["created"] == first["created"]
    assert books.customer("k-100") is None
    assert len([customer for customer in books.customers() if customer["customernumber"] == "K-100"]) == 1


def test_vendors_and_parts_are_saved(books: Books) -> None:
    books.save_vendor({"vendornumber": "L-9", "name": "Käserei"})
    vendor = books.vendor("L-9")
    assert vendor is not None
    assert (vendor["arap_accno"], vendor["tax_accnos"]) == ("2000", ["1170", "1171"])
    books.save_part({"partnumber": "Z-1", "sellprice": Decimal("1.50"), "income_accno": "3200", "tax_accnos": "2202"})
    part = books.part("Z-1")
    assert part is not None
    assert (part["sellprice"], part["tax_accnos"], part["description"]) == ("1.50", ["2202"], "")


@pytest.mark.parametrize("form", ["{name}", "{name}--{id}", "{name}-{id}", "{name}–{id}"])
def test_department_is_found_in_every_written_form(books: Books, form: str) -> None:
    department = books.departments()[0]
    assert books.find_department(form.format(**department)) == department
