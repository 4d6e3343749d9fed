"""What is written is what is read back, for every entity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_rma.client.codecs.bodies import decode, encode
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
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
from tests.support.schema_strategies import records

SCHEMAS = [
    schema()
    for schema in (
        CustomerSchema,
        InvoiceSchema,
        PartSchema,
        PaymentSchema,
        PayablePaymentSchema,
        VendorSchema,
        PayableSchema,
        ReceiptSchema,
        ChartSchema,
        TransactionSchema,
        BalanceRowSchema,
        PositionalBalanceRowSchema,
        DepartmentSchema,
        ProjectSchema,
    )
]
every_schema = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: type(schema).__name__)
often = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def leaves(mapped: Any) -> Iterator[Any]:
    if isinstance(mapped, dict):
        for value in mapped.values():
            yield from leaves(value)
    elif isinstance(mapped, list):
        for value in mapped:
            yield from leaves(value)
    else:
        yield mapped


@every_schema
@given(data=st.data())
@often
def test_an_entity_survives_the_wire(schema: EntitySchema, data: st.DataObject) -> None:
    entity = schema.from_user(data.draw(records(type(schema))))
    mapped = schema.to_wire(entity)
    assert schema.from_wire(mapped) == entity
    assert schema.from_wire(json.loads(json.dumps(mapped))) == entity
    assert all(isinstance(leaf, str) for leaf in leaves(mapped))


@every_schema
@pytest.mark.parametrize("form", ["json", "xml"])
@given(data=st.data())
@often
def test_an_entity_survives_both_content_types(schema: EntitySchema, form: ContentType, data: st.DataObject) -> None:
    entity = schema.from_user(data.draw(records(type(schema))))
    body = encode(schema.to_wire(entity), form, "entity")
    unknown_fields: set[str] = set()
    assert schema.from_wire(decode(body, form, "entity"), unknown_fields=unknown_fields) == entity
    assert unknown_fields == set()


@every_schema
@given(data=st.data())
@often
def test_an_entity_is_valid_input_and_means_the_same(schema: EntitySchema, data: st.DataObject) -> None:
    entity = schema.from_user(data.draw(records(type(schema))))
    assert schema.from_user(entity) == entity


@every_schema
@given(data=st.data())
@often
def test_a_single_line_as_object_and_lists_of_lines_read_alike(schema: EntitySchema, data: st.DataObject) -> None:
    mapped = schema.to_wire(schema.from_user(data.draw(records(type(schema)))))
    collapsed = {
        name: {item: lines[0] if len(lines) == 1 else lines for item, lines in value.items()}
        if isinstance(value, dict) and all(isinstance(lines, list) for lines in value.values())
        else value
        for name, value in mapped.items()
    }
    assert schema.from_wire(collapsed) == schema.from_wire(mapped)


@given(data=st.data())
@often
def test_fields_are_written_in_the_documented_order(data: st.DataObject) -> None:
    schema = InvoiceSchema()
    record = data.draw(records(InvoiceSchema))
    shuffled = {name: record[name] for name in data.draw(st.permutations(list(record)))}
    written = list(schema.to_wire(schema.from_user(shuffled)))
    assert written == [name for name in schema.fields if name in written]
