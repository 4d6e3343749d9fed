"""What the documentation says is what the code does."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.evidence.model import DefectKind
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal_import.model import MatchKind
from airflow_provider_rma.billing.kinds.invoice_document import read_invoice
from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.billing.policy import InputRules
from airflow_provider_rma.exceptions import InvalidInputError
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.fields import FieldSpec
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.reference import ROOT
from tests.support.simulator import SimulatorProcess

CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
CUSTOMERS = (ROOT / "docs" / "customers.md").read_text(encoding="utf-8")
INVOICES = (ROOT / "docs" / "invoices.md").read_text(encoding="utf-8")
JOURNAL_IMPORT = (ROOT / "docs" / "journal-import.md").read_text(encoding="utf-8")
EVIDENCE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tables(text: str, first_column: str) -> list[list[list[str]]]:
    """Rows of every table whose first column is so named, cells stripped, without the head."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and not inside:
            inside = cells[0] == first_column
            if inside:
                found.append([])
        elif line.startswith("|") and not set(line) <= set("|-"):
            found[-1].append(cells)
        inside = inside and line.startswith("|")
    return found


def expected(limits: Iterator[FieldSpec], prefix: str = "") -> list[list[str]]:
    rows = []
    for limit in limits:
        name = limit.path.removeprefix(prefix)
        if limit.read_only or not limit.path.startswith(prefix) or "." in name:
            continue
        if limit.max_length is not None:
            bound = f"{limit.max_length} characters"
        elif limit.decimals is not None:
            bound = f"{limit.decimals} decimals"
        else:
            bound = ", ".join(limit.choices)
        left_out = "**required**" if limit.required else limit.default or ""
        rows.append([f"`{name}`", limit.kind, bound, left_out])
    return rows


def test_field_tables_of_invoices() -> None:
    documented = [[row[:4] for row in table] for table in tables(INVOICES, "Field")]
    prefixes = ("", "parts[].", "incomeentries[].", "taxentries[].")
    assert documented == [expected(iter(InvoiceSchema.field_specs()), prefix) for prefix in prefixes]


def test_field_table_of_customers() -> None:
    (table,) = tables(CUSTOMERS, "Field")
    assert [row[:4] for row in table] == expected(iter(CustomerSchema.field_specs()))


def sentence(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}."


def test_outcomes_table() -> None:
    (table,) = tables(INVOICES, "Outcome")
    documented = [[cell.replace("`", "") for cell in row] for row in table]
    assert documented == [[outcome, sentence(outcome.meaning), outcome.advice] for outcome in Outcome]


def test_states_of_the_journal() -> None:
    (table,) = tables(CLI, "State")
    assert [[cell.strip("`") for cell in row] for row in table] == [[state, state.meaning] for state in JournalState]


def test_kinds_of_matches() -> None:
    (table,) = tables(JOURNAL_IMPORT, "Kind")
    assert [[row[0].strip("`"), row[1]] for row in table] == [[kind, sentence(kind.meaning)] for kind in MatchKind]


def test_kinds_of_defects() -> None:
    (table,) = tables(EVIDENCE, "Kind")
    assert [[row[0].strip("`"), row[1]] for row in table] == [[kind, sentence(kind.meaning)] for kind in DefectKind]


def parameters(operator: type) -> Mapping[str, Any]:
    """Parameters of an operator with their defaults, its bases' included."""
    found: dict[str, Any] = {}
    for cls in operator.__mro__:
        if cls.__module__.startswith("airflow_provider_rma"):
            signature = inspect.signature(cls.__init__)
            found |= {name: p.default for name, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY} | found
    return found


@pytest.mark.parametrize("text", [INVOICES, CUSTOMERS], ids=["invoices", "customers"])
def test_parameter_tables(text: str) -> None:
    from airflow_provider_rma.transfers import sql_to_rma

    operators = {
        INVOICES: sql_to_rma.SqlToRunMyAccountsInvoicesOperator,
        CUSTOMERS: sql_to_rma.SqlToRunMyAccountsCustomersOperator,
    }
    known = parameters(operators[text])
    rows = [row for table in tables(text, "Parameter") for row in table]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    sources = {"invoices", "customers", "source", "source_conn_id", "sql", "sql_conn_id", "parameters"}
    assert documented - sources == set(known) - sources
    for name, default, *_ in (row for row in rows if len(row) == 3):
        stated = default.strip("`").replace(",", "")
        if re.fullmatch(r"\d+|True|False|rma_default", stated):
            assert str(known[name.strip("`")]).removesuffix(".0") == stated, name


def test_the_message_in_the_outcome_file_is_the_real_one() -> None:
    example = next(line for line in INVOICES.splitlines() if '"reasons"' in line)
    (reason,) = json.loads("{" + example.strip().removeprefix("{"))["reasons"]
    line = {"partnumber": "ART-1", "quantity": 1, "sellprice": 1, "unit": "Packung"}
    record = {"invnumber": "260008", "customernumber": "K-1", "transdate": "2026-10-31", "parts": [line]}
    with pytest.raises(InvalidInputError) as refused:
        read_invoice(record, 8, InputRules())
    assert [str(problem) for problem in refused.value.problems] == [reason]


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.airflow
def test_the_dag_in_the_readme_bills(
    run_dag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code.replace('with DAG("bill_one"):', 'with DAG("bill_one") as dag:'), "README.md", "exec"), names)  # noqa: S102
    with SimulatorProcess(tmp_path / "books.db") as rma:
        host, _, port = rma.url.rpartition(":")
        connection = {"conn_type": "rma", "host": host, "port": int(port), "schema": rma.tenant, "password": rma.token}
        monkeypatch.setenv("AIRFLOW_CONN_RMA_DEFAULT", json.dumps({**connection, "extra": {"allow_writes": True}}))
        monkeypatch.setenv("AIRFLOW__RMA__STORAGE_PATH", f"file://{tmp_path}")
        assert run_dag(names["dag"]).state == "success"
        (booked,) = rma.documents("260001")
    # 2 × 99.00 and 8.1 % VAT
    assert booked["amount"] == "214.04"
