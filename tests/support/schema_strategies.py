"""Hypothesis strategies for valid records of every entity, derived from the schemas' own limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.date_range import PLAUSIBLE
from airflow_provider_rma.schemas.fields import Integer
from airflow_provider_rma.schemas.invoice import IncomeEntrySchema, InvoicePartSchema, InvoiceSchema, TaxEntrySchema
from airflow_provider_rma.schemas.keys import find_number_problem
from airflow_provider_rma.schemas.nested import NestedField, WrappedList
from airflow_provider_rma.schemas.purchases import ExpenseEntrySchema, PayableSchema

LETTERS = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
VISIBLE = st.characters(categories=("L", "M", "N", "P", "S", "Zs"))
LINES = st.one_of(LETTERS, st.sampled_from("\n\t"))
DAYS = st.dates(PLAUSIBLE.first, PLAUSIBLE.last)
ACCOUNTS = st.from_regex(r"[0-9A-Za-z._-]{1,12}", fullmatch=True)


def decimals(places: int) -> st.SearchStrategy[Decimal]:
    """Every decimal a field with so many places takes."""
    bound = 10**15 - 1
    return st.integers(-bound, bound).map(lambda number: Decimal(number).scaleb(-places))


def texts(field: Any) -> st.SearchStrategy[str]:
    limit = field.metadata["max_length"]
    text = st.text(LINES if field.metadata["multiline"] else LETTERS, max_size=min(limit or 24, 24))
    if limit:
        text = st.one_of(text, st.just("ü" * limit))
    return text.filter(str.strip) if field.required else text


def keys(field: Any) -> st.SearchStrategy[str]:
    """Numbers that identify a record, in any script."""
    key = st.text(VISIBLE, min_size=1, max_size=field.metadata["max_length"])
    return key.filter(lambda text: text == text.strip() and find_number_problem(text) is None)


def values(field: Any) -> st.SearchStrategy[Any]:
    """Values a user may give to a field."""
    if isinstance(field, Integer):
        return st.integers(field.minimum, field.maximum)
    if isinstance(field, WrappedList):
        return st.lists(records(field.schema_class), max_size=3)
    if isinstance(field, NestedField):
        return records(field.schema_class)
    by_kind: dict[str, Any] = {
        "text": lambda: texts(field),
        "key": lambda: keys(field),
        "account number": lambda: ACCOUNTS,
        "account numbers": lambda: st.lists(ACCOUNTS, max_size=3).map(" ".join),
        "choice": lambda: st.sampled_from(field.metadata["choices"] or ("x",)),
        "currency": lambda: st.from_regex("[A-Z]{3}", fullmatch=True),
        "date": lambda: DAYS,
        "boolean": st.booleans,
    }
    if field.metadata.get("decimals") is not None:
        return decimals(field.metadata["decimals"])
    made: st.SearchStrategy[Any] = by_kind[field.kind]()
    return made


def later(field: Any) -> st.SearchStrategy[Any]:
    """The values of a field, built when they are drawn."""
    return st.deferred(lambda: values(field))


def records(schema: type[EntitySchema]) -> st.SearchStrategy[dict[str, Any]]:
    """Valid input for a schema: every required field, any of the others, nothing read-only."""
    if schema is InvoiceSchema:
        return invoices()
    if schema is PayableSchema:
        return payables()
    return _records(schema, skip=frozenset())


def _records(schema: type[EntitySchema], skip: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, field in schema._declared_fields.items():
        if not field.metadata["read_only"] and name not in skip:
            needed = field.required or name == schema.key
            (required if needed else optional)[name] = later(field)
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def invoices(draw: st.DrawFn) -> dict[str, Any]:
    """Invoices of both methods, with a referenced or an embedded customer."""
    lists = frozenset({"parts", "incomeentries", "taxentries"})
    invoice = draw(_records(InvoiceSchema, lists))
    invoice.pop("customer" if draw(st.booleans()) else "customernumber", None)
    if "customer" not in invoice and "customernumber" not in invoice:
        invoice["customernumber"] = draw(keys(InvoiceSchema._declared_fields["customernumber"]))
    _draw_lines(draw, invoice, "incomeentries", IncomeEntrySchema)
    return invoice


@st.composite
def payables(draw: st.DrawFn) -> dict[str, Any]:
    """Vendor invoices of both methods."""
    payable = draw(_records(PayableSchema, frozenset({"parts", "expenseentries", "taxentries"})))
    _draw_lines(draw, payable, "expenseentries", ExpenseEntrySchema)
    return payable


def _draw_lines(draw: st.DrawFn, document: dict[str, Any], entries: str, entry: type[EntitySchema]) -> None:
    """Give a document the lines of one of the two methods."""
    if draw(st.booleans()):
        document["parts"] = draw(st.lists(records(InvoicePartSchema), min_size=1, max_size=3))
    else:
        document[entries] = draw(st.lists(records(entry), min_size=1, max_size=3))
        document["taxentries"] = draw(st.lists(records(TaxEntrySchema), max_size=2))
