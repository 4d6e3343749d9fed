"""A simulator with the accounts of the posting oracle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.reference import ORACLE_MASTER
from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def oracle_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    db = tmp_path_factory.mktemp("oracle") / "books.db"
    with SimulatorProcess(db, master=ORACLE_MASTER, args=["--duplicates", "accept"]) as process:
        yield process
