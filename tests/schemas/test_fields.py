"""Limits can be looked up in one place, and importing the package is free."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.fields import FieldSpec
from airflow_provider_rma.schemas.invoice import InvoiceSchema


def limit(path: str) -> FieldSpec:
    (found,) = [entry for entry in InvoiceSchema.field_specs() if entry.path == path]
    return found


def test_nested_limits_have_paths() -> None:
    assert limit("parts[].unit").max_length == 5
    assert limit("parts[].quantity").decimals == 6
    assert limit("incomeentries[].amount").decimals == 2
    assert limit("customer.name").max_length == 64
    assert limit("customer.name").required
    assert limit("status").choices == ("OPEN", "PAID", "OVERDUE")
    assert limit("ar_accno").default == "1100"
    assert limit("amount").read_only
    assert limit("customer.chart.accno").attribute
    assert limit("customer.chart.accno").read_only
    assert limit("customer.email").max_length is None


@pytest.mark.parametrize(
    "entry",
    [entry for entry in CustomerSchema.field_specs() if entry.max_length and not entry.read_only],
    ids=lambda e: e.path,
)
def test_every_declared_length_is_the_one_enforced(entry: FieldSpec) -> None:
    schema = CustomerSchema()
    record = {"customernumber": "K-1", "name": "Muster AG"}
    text = "1" * (entry.max_length or 0)
    assert schema.from_user({**record, entry.path: text})[entry.path] == text
    with pytest.raises(InvalidInputError, match=f"{len(text) + 1} characters, RMA takes at most {len(text)}"):
        schema.from_user({**record, entry.path: text + "1"})


def test_documented_lengths_of_a_customer() -> None:
    lengths = {entry.path: entry.max_length for entry in CustomerSchema.field_specs() if "." not in entry.path}
    expected = {
        32: "customernumber salutation firstname lastname address1 address2 city state country taxnumber arap_accno "
        "payment_accno bank_address1 bank_address2 bank_city bank_state bank_country",
        64: "name bank_name",
        20: "phone fax mobile",
        10: "zipcode bank_zipcode",
        34: "bank_iban",
        11: "bank_bic",
        6: "language_code",
    }
    for length, names in expected.items():
        assert {name for name, limit in lengths.items() if limit == length} == set(names.split())


def test_importing_the_package_brings_no_library() -> None:
    code = (
        "import sys, airflow_provider_rma.schemas;"
        "print([name for name in ('marshmallow', 'pendulum') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
