"""The schedules find mistakes in the product: each is put into a copy of it."""

from __future__ import annotations

import pytest

from tests.support.scope import IS_WHOLE
from tests.support.system.mutants import MUTANTS, Mutant, search

#: As many as `.ci/run` searches.
SCHEDULES = 1_000


TRIED = [mutant for mutant in MUTANTS if mutant.is_quick or IS_WHOLE]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.name)
def test_a_mistake_is_found(mutant: Mutant) -> None:
    assert search(mutant, schedules=SCHEDULES).schedules is not None
