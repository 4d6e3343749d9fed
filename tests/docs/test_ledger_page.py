"""The page on the ledger says what the code says."""

from __future__ import annotations

import inspect
import re
from itertools import takewhile

from airflow_provider_rma.ledger.proof.verdicts import ReasonCode, Verdict
from airflow_provider_rma.ledger.result import LedgerResult
from airflow_provider_rma.operators.ledger import RunMyAccountsExtractLedgerOperator
from tests.support.reference import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """Cells of the table whose first column has that head."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    next(lines)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in takewhile(lambda line: line[:1] == "|", lines)]


def sentence(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}."


def test_the_table_of_verdicts_says_what_the_members_say() -> None:
    table = rows("Verdict")
    assert [(row[0], row[3]) for row in table] == [(f"`{verdict}`", verdict.advice) for verdict in Verdict]
    for row, verdict in zip(table, Verdict, strict=True):
        assert row[1].startswith(sentence(verdict.meaning))


def test_the_table_of_reasons_says_what_the_members_say() -> None:
    assert rows("Code") == [[f"`{code}`", sentence(code.meaning), code.advice] for code in ReasonCode]


def test_every_parameter_is_explained_with_its_default() -> None:
    parameters = dict(inspect.signature(RunMyAccountsExtractLedgerOperator.__init__).parameters)
    names = [name for name, parameter in parameters.items() if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    assert sorted(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("Parameter")))) == sorted(names)
    for name in ("reread_days", "on_unproven", "tolerance", "rma_conn_id"):
        assert f"| `{name}` | `{parameters[name].default}` |" in PAGE


def test_every_value_of_the_result_is_explained() -> None:
    result = LedgerResult(tenant="demo", load_id="1", kind="duckdb", location="ledger.duckdb").as_dict()
    assert sorted(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("Result")))) == sorted({*result, "page_path"})


def test_the_script_without_airflow_is_right_in_its_names() -> None:
    (script,) = re.findall(r"## Without Airflow\n\n```python\n(.*?)```", PAGE, re.S)
    for line in script.splitlines():
        if line.startswith("from "):
            exec(line, {})  # noqa: S102 - an import of ours
