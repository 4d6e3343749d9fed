"""The sub-command `seed`: its summary, and wrong arguments."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "airflow_provider_rma.simulator", "seed"]


def test_the_command_says_what_it_built(tmp_path: Path) -> None:
    db = tmp_path / "b.db"
    arguments = ["--db", str(db), "--customers", "5", "--invoices", "60", "--months", "3", "--start", "2024-02"]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[0::2][:2] == ["documents", "postings"]
    with closing(sqlite3.connect(db)) as connection:
        assert int(words[3]) == connection.execute("SELECT COUNT(*) FROM posting").fetchone()[0]
    assert "period 2024-02-01 to 2024-04-30" in done.stdout
    assert "2024-04" in done.stderr
    again = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    "wrong",
    [["--invoices", "-1"], ["--months", "0"], ["--start", "2024-13"], ["--payments", "1.5"], ["--customers", "x"]],
)
def test_wrong_arguments_are_refused(wrong: list[str], tmp_path: Path) -> None:
    from airflow_provider_rma.simulator.__main__ import main

    with pytest.raises(SystemExit) as refusal:
        main(["seed", "--db", str(tmp_path / "b.db"), *wrong])
    assert refusal.value.code == 2
    assert list(tmp_path.iterdir()) == []
