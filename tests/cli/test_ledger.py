"""``rma ledger``: what an extract will take, and its warehouse as a source of dbt."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from airflow_provider_rma.cli.main import rma
from airflow_provider_rma.ledger.dbt import sources_yml
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from tests.support.desk import Desk

PERIOD = ("--from", "2026-01-01", "--to", "2026-02-28")


def test_an_estimate_is_a_sentence_and_a_table(desk: Desk) -> None:
    lines = [{"accno": "1020", "debit": "500"}, {"accno": "2800", "credit": "500"}]
    for day in ("2026-01-31", "2026-02-01"):
        desk.simulator.control("POST", "/gl", {"reference": f"GL-{day}", "transdate": day, "lines": lines})
    result = desk.run("ledger", "estimate", *PERIOD)
    assert result.exit_code == 0, result.output
    sentence, empty, heads, *rows = result.stdout.splitlines()
    assert sentence.startswith("2 months: about 17 calls, 4 postings, ")
    assert (empty, heads.split()) == ("", ["MONTH", "POSTINGS", "CALLS", "SECONDS"])
    assert [row.split()[:3] for row in rows] == [["2026-01", "2", "8"], ["2026-02", "2", "8"]]
    found = desk.json("ledger", "estimate", *PERIOD, "--content-type", "json")
    assert (found["months"], found["postings"]["expected"]) == (2, 4)
    assert found["hours"]["low"] <= found["hours"]["high"]


def test_what_cannot_be_estimated_is_said(desk: Desk) -> None:
    refused = desk.run("ledger", "estimate", "--from", "yesterday")
    assert refused.exit_code == 2
    assert "from_date is no calendar day" in refused.stderr
    missing = desk.run("ledger", "estimate", "--conn", "rma_nowhere", *PERIOD)
    assert (missing.exit_code, "rma_nowhere" in missing.stderr) == (2, True)


def test_dbt_sources_are_printed_without_a_connection() -> None:
    options = ["--schema", "main", "--table-prefix", "x_", "--dbt-utils", "--warn-after-hours", "1"]
    result = CliRunner().invoke(rma, ["ledger", "dbt-sources", *options])
    assert result.exit_code == 0, result.output
    assert result.stdout == sources_yml(schema="main", table_prefix="x_", dbt_utils=True, warn_after_hours=1)
    assert CliRunner().invoke(rma, ["ledger", "dbt-sources"]).stdout == sources_yml()


def test_signs_are_shown_and_forgotten_and_that_is_recorded(desk: Desk, tmp_path: Path) -> None:
    address = f"duckdb:///{tmp_path / 'w.duckdb'}"
    learned = SignConvention().with_signs({"1020": -1, "2000": 1, "1109": 1, "1000": -1}, "2026-01")
    tenant = desk.json("ledger", "signs", "--destination", address)["tenant"]
    with open_destination(address) as warehouse:
        warehouse.save_convention(tenant, learned.as_dict())
    shown = desk.run("ledger", "signs", "--show", "--destination", address)
    assert "4 accounts, reading natural" in shown.stdout
    assert "exception" in shown.stdout
    refused = desk.run("ledger", "signs", "--forget", "9999", "--destination", address)
    assert refused.exit_code == 2
    assert "9999" in refused.stderr
    found = desk.json("ledger", "signs", "--forget", "1109", "--destination", address)
    assert found["signs"] == {"1000": -1, "1020": -1, "2000": 1}
    assert found["records"][0]["forgotten"] == {"1109": 1}
    assert desk.json("ledger", "signs", "--destination", address)["records"] == found["records"]
    assert desk.json("ledger", "signs", "--forget-all", "--destination", address)["signs"] == {}


def test_a_residual_is_accepted_and_that_is_recorded(desk: Desk, tmp_path: Path) -> None:
    address = f"duckdb:///{tmp_path / 'w.duckdb'}"
    assert desk.run("ledger", "residual", "--accept", "viel", "--destination", address).exit_code == 2
    assert desk.run("ledger", "residual", "--accept", "-5.00", "--destination", address).exit_code == 0
    found = desk.json("ledger", "signs", "--destination", address)
    assert found["accepted"] == ["-5.00"]
    assert found["records"][0]["accepted"] == "-5.00"
    shown = desk.run("ledger", "signs", "--show", "--destination", address).stdout
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  accepted CHF -5\.00$", shown, re.MULTILINE)
