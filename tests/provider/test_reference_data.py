"""The reference data travels with the checkout: where a part of it is missing, that is a failure, never a skip."""

from __future__ import annotations

import pytest

from tests.support.reference import oracle_cases, rounding_triples


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("ar_booking", 47),
        ("ar_articles", 120),
        ("payment", 76),
        ("ap", 25),
        ("gl", 12),
        ("resave", 8),
        ("delete", 4),
    ],
)
def test_no_case_of_the_oracle_is_missing(kind: str, count: int) -> None:
    cases = oracle_cases(kind)
    assert {case["kind"] for case in cases} == {kind}
    assert len({case["case"] for case in cases}) == len(cases) == count


def test_no_rounding_triple_is_missing() -> None:
    assert len(rounding_triples()) == 2459
