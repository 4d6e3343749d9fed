from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """A simulator with the demo company's books, once per module."""
    with SimulatorProcess(tmp_path_factory.mktemp("simulator") / "books.db") as process:
        yield process
