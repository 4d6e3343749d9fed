from __future__ import annotations

import pytest

from airflow_provider_rma.fault_points import at, reach


def test_a_point_without_a_handler_does_nothing() -> None:
    reach("window.deleted", tenant="acme")


def test_a_handler_receives_the_details_and_is_gone_after_the_block() -> None:
    seen = []
    with at("window.deleted", lambda **details: seen.append(details)):
        reach("window.deleted", tenant="acme")
        reach("window.written", tenant="acme")
    reach("window.deleted", tenant="other")
    assert seen == [{"tenant": "acme"}]


def test_what_a_handler_raises_is_raised_at_the_point() -> None:
    def fail() -> None:
        raise OSError("no space")

    with at("window.deleted", fail), pytest.raises(OSError, match="no space"):
        reach("window.deleted")


def test_a_handler_inside_another_takes_its_place_for_a_while() -> None:
    seen = []
    with at("window.deleted", lambda: seen.append("outer")):
        with at("window.deleted", lambda: seen.append("inner")):
            reach("window.deleted")
        reach("window.deleted")
    assert seen == ["inner", "outer"]
