"""Customers over HTTP against the simulator."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from airflow_provider_rma.exceptions import BillingError, ConfigurationError, InDoubtError
from tests.support.billing_bench import Bench

_numbers = count(1)


def customer(**fields: Any) -> dict[str, Any]:
    return {
        "customernumber": f"C-{next(_numbers)}",
        "name": "Séjour à l'Alpe Sàrl",
        "address1": "Rue de l'Exemple 1",
        "zipcode": "1000",
        "city": "Exempleville",
        "terms": 30,
        "tax_accnos": "2201 2202",
    } | fields


def read(bench: Bench, number: str) -> dict[str, Any]:
    with bench.client() as client:
        return client.get_customer(number)


def saved(bench: Bench) -> int:
    received = bench.simulator.control("GET", "/requests")["received"]
    return int(received.get("POST /customers", 0))


def test_a_customer_is_created_once(bench: Bench) -> None:
    record = customer()
    assert bench.save(record)[record["customernumber"]]["outcome"] == "created"
    assert bench.save(record)[record["customernumber"]] == {
        "position": 1,
        "number": record["customernumber"],
        "outcome": "unchanged",
    }
    assert saved(bench) == 1
    assert read(bench, record["customernumber"])["name"] == record["name"]


@pytest.mark.parametrize("number", ["KX/1", "KX 2", "KX-3.xml", "KX%4", "KÜ-5"])
def test_a_customer_whose_number_no_path_carries_is_read_back_from_the_list(bench: Bench, number: str) -> None:
    record = customer() | {"customernumber": number}
    assert bench.save(record)[number]["outcome"] == "created"
    assert bench.save(record)[number]["outcome"] == "unchanged"
    changed = record | {"email": "new@example.com"}
    assert bench.save(changed, managed_fields=["email"])[number]["outcome"] == "updated"
    assert saved(bench) == 2


def test_a_customer_in_another_spelling_is_the_same_one(bench: Bench) -> None:
    record = customer()
    bench.save(record)
    other = record["customernumber"].swapcase()
    assert bench.save(record | {"customernumber": other})[other]["outcome"] == "unchanged"
    changed = record | {"customernumber": other, "email": "new@example.com"}
    (row,) = bench.save(changed, managed_fields=["email"]).values()
    assert (row["number"], row["outcome"]) == (record["customernumber"], "updated")
    assert saved(bench) == 2
    assert read(bench, record["customernumber"])["email"] == "new@example.com"


def test_an_existing_customer_is_never_written(bench: Bench) -> None:
    record = customer()
    bench.save(record)
    row = bench.save(record | {"city": "Anderswo", "email": "info@example.com"})[record["customernumber"]]
    assert row["outcome"] == "unchanged"
    assert row["reasons"] == ["differs in RMA, not managed: city, email"]
    assert read(bench, record["customernumber"])["city"] == "Exempleville"
    assert saved(bench) == 1


def test_managed_fields_are_written_and_nothing_else(bench: Bench) -> None:
    record = customer(phone="000 000 00 00")
    bench.save(record)
    changed = {"customernumber": record["customernumber"], "name": "Other", "email": "new@example.com"}
    row = bench.save(changed, managed_fields=["email"])[record["customernumber"]]
    assert row["outcome"] == "updated"
    now = read(bench, record["customernumber"])
    assert (now["email"], now["name"], now["phone"], now["terms"], now["tax_accnos"]) == (
        "new@example.com",
        record["name"],
        "000 000 00 00",
        30,
        "2201 2202",
    )
    assert bench.save(changed, managed_fields=["email"])[record["customernumber"]]["outcome"] == "unchanged"


def test_a_field_that_cannot_be_managed_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match=r"managed_fields: adress1 cannot be managed.*address1"):
        bench.save(customer(), managed_fields=["adress1"])


def test_an_invalid_customer_is_refused_before_sending_with_field_length_and_limit(bench: Bench) -> None:
    good, bad = customer(), customer(address1="Eine viel zu lange Strasse im Tal 1234")
    rows = bench.save(good, bad)
    assert rows[good["customernumber"]]["outcome"] == "created"
    (reason,) = rows[bad["customernumber"]]["reasons"]
    assert reason.startswith(f"customer {bad['customernumber']}: address1: 38 characters")
    assert "32" in reason
    assert "Strasse" not in reason
    assert saved(bench) == 1
    assert isinstance(bench.error, BillingError)
    assert bench.rejects == [bad]


def test_the_same_number_twice_is_refused(bench: Bench) -> None:
    record = customer()
    rows = bench.save(record, record | {"city": "Anderswo"})
    assert rows[record["customernumber"]]["outcome"] == "invalid"
    assert "positions 1, 2" in rows[record["customernumber"]]["reasons"][0]
    assert saved(bench) == 0


def test_a_language_that_the_tenant_does_not_have_is_a_rejection(bench: Bench) -> None:
    record = customer(language_code="rm")
    row = bench.save(record)[record["customernumber"]]
    assert row["outcome"] == "rejected"
    assert "rm" in row["server_message"]


@pytest.mark.parametrize("after_commit", [True, False])
def test_a_lost_reply_is_resolved_by_reading(bench: Bench, after_commit: bool) -> None:
    record = customer()
    bench.chaos("save_customer", "lost", count=1, after_commit=after_commit)
    row = bench.save(record)[record["customernumber"]]
    assert row["outcome"] == ("created" if after_commit else "unknown")
    if not after_commit:
        assert isinstance(bench.error, InDoubtError)
        assert bench.save(record)[record["customernumber"]]["outcome"] == "unknown"
    assert saved(bench) == 1


def test_a_lost_connection_holds_the_rest(bench: Bench) -> None:
    records = [customer(), customer()]
    bench.options["allow_writes"] = False
    rows = bench.save(*records)
    assert {row["outcome"] for row in rows.values()} == {"held"}
    assert "allow_writes" in str(bench.error)
