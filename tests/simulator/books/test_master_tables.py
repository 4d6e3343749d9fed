"""Master data as a file brings it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.simulator.books.master_tables import load_master, read_truth


def test_master_file_must_be_complete(tmp_path: Path) -> None:
    path = tmp_path / "master.json"
    path.write_text('{"tenant": {}, "accounts": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="taxes"):
        load_master(path)


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), (" True", True), ("false", False), ("", False), (True, True)]
)
def test_truth(value: Any, meaning: bool) -> None:
    assert read_truth(value) is meaning
