"""Columns for people, times in Zurich."""

from __future__ import annotations

import pytest

from airflow_provider_rma.cli.output import iso_time, local_time, print_table


def test_columns_are_aligned_figures_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["KIND", "COUNT"], [["match", 1204], ["near match", None]], right=["COUNT"])
    assert capsys.readouterr().out.splitlines() == ["KIND        COUNT", "match        1204", "near match      -"]


def test_times_are_zurichs() -> None:
    assert local_time(1_795_179_909.0) == "2026-11-20 14:05:09"
    assert iso_time(1_795_179_909.0) == "2026-11-20T14:05:09+01:00"
    assert (local_time(None), iso_time(None)) == (None, None)
