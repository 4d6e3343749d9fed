"""Which request a fault hits."""

from __future__ import annotations

from airflow_provider_rma.simulator.faults.rules import FaultRule, Faults


def struck(seed: int) -> list[bool]:
    faults = Faults()
    faults.rules.append(FaultRule("read", "lost", probability=0.3, seed=seed))
    return [faults.pick("read_parts") is not None for _ in range(200)]


def test_chance_repeats_with_its_seed() -> None:
    assert struck(1) == struck(1) != struck(2)
    assert 30 < sum(struck(1)) < 90


def test_classes_of_requests() -> None:
    rule = FaultRule("read", "lost")
    assert rule.covers("read_parts")
    assert not rule.covers("create_invoice")
    assert not rule.covers("reader")
    assert FaultRule("any", "lost").covers("create_invoice")
    assert not FaultRule("read_invoice", "lost").covers("read_invoices")
