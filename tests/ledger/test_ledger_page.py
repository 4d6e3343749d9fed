"""The page on the ledger says what the code does."""

from __future__ import annotations

import inspect
import re

from airflow_provider_rma.ledger.proof.verdicts import ReasonCode, Verdict
from airflow_provider_rma.operators.ledger import RunMyAccountsExtractLedgerOperator
from tests.support.reference import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def column(head: str) -> list[str]:
    """First cells of the table with that head."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    next(lines)
    cells = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells.append(line.split("|")[1].strip())
    return cells


def test_every_verdict_and_every_reason_is_explained() -> None:
    assert column("Verdict") == [f"`{verdict}`" for verdict in Verdict]
    assert column("Code") == [f"`{code}`" for code in ReasonCode]


def test_every_parameter_is_explained_with_its_default() -> None:
    parameters = dict(inspect.signature(RunMyAccountsExtractLedgerOperator.__init__).parameters)
    names = [name for name, one in parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY]
    assert sorted(re.findall(r"`(\w+)`", " ".join(column("Parameter")))) == sorted(names)
    for name in ("reread_days", "on_unproven", "tolerance", "rma_conn_id"):
        assert f"| `{name}` | `{parameters[name].default}` |" in PAGE


def test_the_script_without_airflow_is_right_in_its_names() -> None:
    (script,) = re.findall(r"## Without Airflow\n\n```python\n(.*?)```", PAGE, re.S)
    for line in script.splitlines():
        if line.startswith("from "):
            exec(line, {})  # noqa: S102 - an import of ours
