"""The estimate reads what the extract would read, and foretells what it then takes."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import date
from typing import Any

import pytest

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.ledger.estimate import Estimate, Probe, Range, estimate_ledger, extrapolate
from airflow_provider_rma.ledger.extract import extract_ledger
from tests.support.ledger.company import Company
from tests.support.ledger.memory import MemoryDestination
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy

QUARTER: dict[str, Any] = {"from_date": "2026-01-01", "to_date": "2026-03-31"}


def estimate(company: Company, host: str | None = None, **kwargs: Any) -> Estimate:
    with company.client(host) as client:
        return estimate_ledger(client, **QUARTER | kwargs)


def test_it_asks_what_the_extract_asks_and_foretells_it(
    trading: Company, memory: MemoryDestination, proxy: TamperingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        found = estimate(trading, proxy.url)
    asked, proxy.targets, said = Counter(proxy.targets), [], caplog.messages[-1]
    with trading.client(proxy.url) as client:
        result = extract_ledger(client, memory, **QUARTER)
    assert asked == Counter(proxy.targets)
    assert found.calls == Range(25, 25, 25)
    assert result.calls + 1 == 25, "and the chart of accounts"
    assert (found.postings.expected, result.rows) == (16, 16)
    assert [(probe.month, probe.postings, probe.calls) for probe in found.probes] == [
        ("2026-01", 10, 8), ("2026-02", 4, 8), ("2026-03", 2, 8),
    ]  # fmt: skip
    assert 0 < found.seconds.low <= found.seconds.expected <= found.seconds.high
    assert said == f"Ledger of tenant demo: {found}."
    assert said.startswith("Ledger of tenant demo: 3 months: about 25 calls, 16 postings, ")
    assert said.endswith(" (probed 2026-01, 2026-02, 2026-03); the probes are uneven, 2 to 10 postings a month.")


def test_years_are_foretold_from_three_months(trading: Company, proxy: TamperingProxy) -> None:
    found = estimate(trading, proxy.url, from_date="2020-01-01", to_date="2026-02-28", content_type="json")
    assert [probe.month for probe in found.probes] == ["2020-01", "2023-02", "2026-02"]
    assert len(proxy.targets) == 1 + 3 * 8
    result = found.as_dict()
    assert json.loads(json.dumps(result)) == result
    assert result.pop("hours").keys() == {"low", "expected", "high"}
    assert [probe.pop("seconds") > 0 for probe in result.pop("probes")] == [True] * 3
    assert result.pop("summary").startswith("74 months: about 590 calls, 74 postings, ")
    assert result == {
        "tenant": "demo",
        "from_date": "2020-01-01",
        "to_date": "2026-02-28",
        "months": 74,
        "done": 0,
        "calls": {"low": 593, "expected": 593, "high": 593},
        "postings": {"low": 4, "expected": 74, "high": 144},
        "uneven": True,
    }


def test_a_month_that_is_not_over_stands_for_none(trading: Company) -> None:
    found = estimate(trading, today=date(2026, 3, 2))
    assert ([probe.month for probe in found.probes], found.months) == (["2026-01", "2026-02"], 3)
    assert found.postings == Range(10 + 4 + 4, 10 + 4 + 4, 10 + 4 + 4)
    alone = estimate(trading, from_date="2026-03-01", today=date(2026, 3, 2))
    assert [probe.month for probe in alone.probes] == ["2026-03"]


def test_only_what_is_left_counts(trading: Company, memory: MemoryDestination, proxy: TamperingProxy) -> None:
    with trading.client() as client:
        extract_ledger(client, memory, from_date="2026-01-01", to_date="2026-02-28")
    before = list(memory.steps)
    found = estimate(trading, destination=memory, resume_since="1900-01-01")
    assert ([probe.month for probe in found.probes], found.months, found.done) == (["2026-03"], 1, 2)
    assert str(found).startswith("1 month (2 more done before): about 9 calls, 2 postings, ")
    assert estimate(trading, destination=memory).done == 0
    done = estimate(trading, proxy.url, to_date="2026-02-28", destination=memory, resume_since="1900-01-01")
    assert str(done) == "All 2 months were done before; nothing is left to read."
    assert (done.as_dict()["calls"], done.as_dict()["probes"]) == ({"low": 0, "expected": 0, "high": 0}, [])
    assert proxy.targets == []
    assert memory.steps == before, "nothing is written"


def test_an_answer_that_breaks_off_is_asked_for_again(trading: Company, proxy: TamperingProxy) -> None:
    broken: list[Reply] = []

    def once(reply: Reply) -> Reply | None:
        broken.append(reply)
        return Reply(reply.body[:-40], headers=reply.headers) if len(broken) == 1 else None

    proxy.change("transactions", once)
    found = estimate(trading, proxy.url, to_date="2026-01-31")
    assert (found.postings.expected, found.calls.expected) == (10, 1 + 9)


@pytest.mark.parametrize("wrong", [{"from_date": "soon"}, {"resume_since": "lately"}, {"account_kinds": {"1": "cash"}}])
def test_a_parameter_that_means_nothing_is_refused_before_anything_is_sent(
    trading: Company, proxy: TamperingProxy, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        estimate(trading, proxy.url, **wrong)
    assert proxy.targets == []


def test_between_two_probes_a_figure_goes_in_a_straight_line() -> None:
    assert extrapolate([(0, 10.0)], 4, 1) == Range(41, 41, 41)
    assert extrapolate([(0, 0.0), (2, 10.0), (4, 30.0)], 5, 0) == Range(
        low=0 + 0 + 10 + 10 + 30, expected=0 + 5 + 10 + 20 + 30, high=0 + 10 + 10 + 30 + 30
    )
    # Beyond the outermost probes theirs goes on.
    assert extrapolate([(1, 4.0), (2, 6.0)], 4, 0) == Range(20, 20, 20)


@pytest.mark.parametrize(
    ("calls", "postings", "seconds", "sentence"),
    [
        (871, 1_234_567, (2880, 3600, 5430), "about 870 calls, 1.2 million postings, 0.8 to 1.5 hours"),
        (99, 12_345, (70, 90, 130), "about 99 calls, 12'000 postings, 1 to 2 minutes"),
        (8, 0, (3, 3, 3), "about 8 calls, 0 postings, about 3 seconds"),
        (8, 0, (0.1, 0.1, 0.2), "about 8 calls, 0 postings, less than a second"),
    ],
)
def test_the_sentence(calls: float, postings: float, seconds: tuple[float, float, float], sentence: str) -> None:
    probes = [Probe("2016-01", 500, 7, 1.0), Probe("2025-12", 1500, 7, 2.0)]
    period = (date(2016, 1, 1), date(2025, 12, 31))
    flat = [Range(calls, calls, calls), Range(postings, postings, postings), Range(*seconds)]
    assert str(Estimate("demo", period, 120, 0, probes, *flat)) == (f"120 months: {sentence} (probed 2016-01, 2025-12)")
