from __future__ import annotations

import pytest

from airflow_provider_rma.billing.records.counting import require_count
from airflow_provider_rma.exceptions import InvalidInputError


@pytest.mark.parametrize(("count", "min_count"), [(0, 0), (1, 1), (3, 2), (5, 0)])
def test_enough_records_pass(count: int, min_count: int) -> None:
    assert list(require_count(range(count), min_count)) == list(range(count))


@pytest.mark.parametrize(("count", "min_count"), [(0, 1), (1, 2), (99, 100)])
def test_too_few_records_are_refused_once_all_are_read(count: int, min_count: int) -> None:
    with pytest.raises(InvalidInputError, match=f"min_count: {count} records, at least {min_count} are expected"):
        list(require_count(range(count), min_count))
