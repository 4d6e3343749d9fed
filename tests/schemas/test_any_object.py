"""Whatever is handed in ends in an entity or in a refusal that names fields; nothing else is ever raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_rma.client.codecs.bodies import encode
from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoicePartSchema, InvoiceSchema
from airflow_provider_rma.schemas.ledger import (
    BalanceRowSchema,
    ChartSchema,
    PositionalBalanceRowSchema,
    TransactionSchema,
)
from airflow_provider_rma.schemas.organisation import DepartmentSchema, ProjectSchema
from airflow_provider_rma.schemas.part import PartSchema
from airflow_provider_rma.schemas.payment import PayablePaymentSchema, PaymentSchema
from airflow_provider_rma.schemas.purchases import PayableSchema, VendorSchema
from airflow_provider_rma.schemas.receipt import ReceiptSchema
from tests.support.any_object import OBJECTS, STRANGE, Hostile, HostileMapping, records

SCHEMAS: tuple[EntitySchema, ...] = (
    InvoiceSchema(), CustomerSchema(), InvoicePartSchema(), PartSchema(), PaymentSchema(), TransactionSchema(),
    ChartSchema(), BalanceRowSchema(), PositionalBalanceRowSchema(), DepartmentSchema(), ProjectSchema(),
    PayablePaymentSchema(), VendorSchema(), PayableSchema(), ReceiptSchema(),
)  # fmt: skip
BY_NAME = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: type(schema).__name__)
VALID: dict[str, Any] = {
    "invnumber": "R-1",
    "transdate": "2025-03-31",
    "customernumber": "K-1",
    "parts": [{"partnumber": "A-1", "quantity": 1, "sellprice": "10.00"}],
}


def find_refusal(schema: EntitySchema, record: Any, **options: Any) -> InvalidInputError | None:
    """Read a record. Whatever is accepted can be written in both forms."""
    try:
        entity = schema.from_user(record, **options)
    except InvalidInputError as error:
        return error
    for form in ("json", "xml"):
        encode(schema.to_wire(entity), form, "entity")
    return None


def check(schema: EntitySchema, record: Any) -> None:
    error = find_refusal(schema, record)
    if error is None:
        return
    assert error.problems
    assert all(problem.path.startswith(schema.entity) and problem.remedy for problem in error.problems)
    text = str(error)
    assert len(text) < 20_000
    assert "Geheimnis" not in text
    assert "\n" not in text
    assert "\x1b" not in text
    text.encode()


@BY_NAME
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_any_record_is_accepted_or_refused(schema: EntitySchema, data: st.DataObject) -> None:
    check(schema, data.draw(records(list(schema.fields))))


@BY_NAME
@pytest.mark.parametrize("index", range(len(STRANGE)))
def test_a_strange_value_in_any_field_is_accepted_or_refused(schema: EntitySchema, index: int) -> None:
    for name in schema.fields:
        check(schema, {name: STRANGE[index]})
    check(schema, dict.fromkeys(schema.fields, STRANGE[index]))
    check(schema, STRANGE[index])
    check(schema, [STRANGE[index]])


@given(OBJECTS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_one_strange_field_is_what_a_refusal_names(value: Any) -> None:
    for name in ("invnumber", "duedate", "description", "taxincluded", "dcn"):
        error = find_refusal(SCHEMAS[0], {**VALID, name: value}, path="record 1")
        assert error is None or {problem.path for problem in error.problems} == {f"record 1: {name}"}


@pytest.mark.parametrize("record", [Hostile(), HostileMapping(), {Hostile(): 1}, {"invnumber": Hostile()}])
def test_objects_that_cannot_be_looked_at_are_refused(record: Any) -> None:
    with pytest.raises(InvalidInputError, match="invoice"):
        SCHEMAS[0].from_user(record)


def test_thousands_of_problems_make_a_short_message() -> None:
    lines = [{"partnumber": ".", "quantity": "x", f"key {index}": 1} for index in range(50_000)]
    with pytest.raises(InvalidInputError) as caught:
        SCHEMAS[0].from_user({**VALID, "parts": lines} | {f"unknown {index}": 1 for index in range(50_000)})
    assert len(str(caught.value)) < 5_000
    assert "further problems; correct these first" in str(caught.value)
