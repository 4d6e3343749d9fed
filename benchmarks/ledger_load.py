"""A month of postings from HTTP into a warehouse, proven; beside what others would write, and beside the limit.

Every sample is a process of its own, and the cases take turns, so that whatever else the machine does hits all of them.
Imports do not count, neither in time nor in memory. What is loaded is counted after each sample. Run it with::

    python -m benchmarks.ledger_load --peers PYTHON
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.ledger_peers import peak
from benchmarks.ledger_service import AMENDED, MONTH, prepare, service
from tests.support.postgres import PostgresServer, find_binaries

Sample = dict[str, float]

#: Peers are measured with so many postings, ours and the limit with all.
PEER_POSTINGS = 100_000
TARGETS = ("duckdb", "postgresql", "parquet")

#: What is called what in the tables.
NAMES = {
    "ours": "airflow-provider-rma, everything checked and proven",
    "again": "ours again, nothing has changed: read and proven again",
    "skip": "ours again, nothing has changed: month not read (`skip_unchanged`)",
    "amended": "ours again, one voucher in a hundred has changed: compared and replaced",
    "limit": "limit: received, decoded, loaded in bulk; nothing checked",
    "dlt": "dlt over ElementTree",
    "dlt_xmltodict": "dlt over xmltodict",
    "script": "script: requests, xmltodict, pandas",
    "marshmallow": "marshmallow, executemany",
}
PEERS = ("dlt", "dlt_xmltodict", "script", "marshmallow")
#: What takes long and decides nothing is measured once only.
_ONCE = ("dlt_xmltodict", "marshmallow")

# ---------------------------------------------------------------------- ours: one sample


def _extract(url: str, tenant: str, destination: str, *, skip: bool = False) -> Any:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.config import ClientConfig
    from airflow_provider_rma.ledger.destinations.open import open_destination
    from airflow_provider_rma.ledger.extract import extract_ledger

    config = ClientConfig(host=url, tenant=tenant, token="pat_example")  # noqa: S106 - the service takes any
    day = date.fromisoformat(f"{MONTH}-01")
    with RunMyAccountsClient(config) as client, open_destination(destination) as opened:
        return extract_ledger(client, opened, from_date=day, to_date=day, skip_unchanged=skip)


class _Blind:
    """In the place of the second eye: sees the announced count and believes everything else."""

    def __init__(self, body: Any) -> None:
        self._body, self._count = body, 0
        found = re.search(rb'number_of_transaction="([0-9]+)"', body.read(200))
        self.announced = int(found[1]) if found else None

    def __enter__(self) -> _Blind:
        return self

    def __exit__(self, *_: object) -> None:
        self._body.close()

    def wait_for(self, count: int) -> None:
        self._count = count

    def wait_for_end(self) -> int:
        return self._count


def _without_eye() -> None:
    xmlform: Any = import_module("airflow_provider_rma.ledger.postings.decode.xml_path")
    xmlform.Recogniser = _Blind


def _without_validation() -> None:
    """Amounts, numbers and days are cast as Arrow reads them, and nothing is looked at before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_rma.ledger import arrow_schemas
    from airflow_provider_rma.schemas.amounts import Amount
    from airflow_provider_rma.schemas.dates import CalendarDate
    from airflow_provider_rma.schemas.fields import Boolean, Integer

    def read(leaf: Any, texts: Any) -> Any:
        if isinstance(leaf.field, CalendarDate):
            return pc.utf8_slice_codeunits(texts, 0, 10).cast(pa.date32())
        if isinstance(leaf.field, Amount):
            return texts.cast(arrow_schemas.ARROW_TYPES["money"])
        if isinstance(leaf.field, Integer) and (leaf.part == "" or leaf.member == "department"):
            return texts.cast(pa.int64())
        return texts.cast(pa.bool_()) if isinstance(leaf.field, Boolean) else texts

    columns: Any = import_module("airflow_provider_rma.ledger.postings.decode.columns")
    columns.read_column = read
    columns.merge_accounts = lambda own, stub: own
    columns.PostingColumns._check_days = lambda self, days: None


class _Nothing:
    accounts: dict[str, Any] = {}  # noqa: RUF012 - it stays empty

    def add(self, batch: Any) -> None:
        """Nothing is summed up."""

    def unbalanced(self) -> tuple[()]:
        return ()

    def result(self) -> dict[str, Any]:
        return {}


def _without_proof() -> None:
    """No sums of vouchers, no fingerprints, no questions for balances; every month is believed."""
    from airflow_provider_rma.ledger.proof.balances import BalanceStatement
    from airflow_provider_rma.ledger.proof.prove import Proof
    from airflow_provider_rma.ledger.proof.verdicts import Verdict

    read: Any = import_module("airflow_provider_rma.ledger.postings.stream")
    read._RunningSums = _Nothing
    month: Any = import_module("airflow_provider_rma.ledger.month")
    month.read_statement = lambda *_: BalanceStatement({}, {})
    month.prove = lambda *_, **__: Proof(Verdict.EXACT)


def _without_anything() -> None:
    _without_eye()
    _without_validation()
    _without_proof()


#: What can be left out, to see what it costs.
PARTS: dict[str, tuple[str, Callable[[], None]]] = {
    "no validation": ("validation", _without_validation),
    "no eye": ("second eye", _without_eye),
    "no proof": ("proof", _without_proof),
    "none": ("all three", _without_anything),
}


_IMPORTS = (
    "duckdb psycopg requests sqlalchemy xml2arrow pyarrow.compute pyarrow.csv pyarrow.parquet "
    "airflow_provider_rma.client.client airflow_provider_rma.ledger.postings.decode.columns "
    "airflow_provider_rma.ledger.postings.decode.xml_path airflow_provider_rma.ledger.destinations.open "
    "airflow_provider_rma.ledger.destinations.sql.duckdb airflow_provider_rma.ledger.destinations.parquet.destination "
    "airflow_provider_rma.ledger.destinations.sql.postgres airflow_provider_rma.ledger.extract"
)


def _sample(case: str, url: str, tenant: str, destination: str) -> Sample:
    """One run in this process."""
    for name in _IMPORTS.split():
        import_module(name)
    if case in PARTS:
        PARTS[case][1]()
    before, begin, used = peak(), time.perf_counter(), time.process_time()
    result = _extract(url, tenant, destination, skip=case == "skip")
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    [month] = result.windows
    expected = {"again": ("unchanged", "exact"), "skip": ("skipped", "balances_only")}.get(case, ("changed", "exact"))
    assert (month.state.value, month.verdict.value) == expected, result
    return {"seconds": seconds, "used": used, "megabytes": peak() - before}


# ---------------------------------------------------------------------- all samples


@dataclass
class Bench:
    """All samples of one run.

    :param peers: interpreter of the peers' environment.
    :param postgres: a running server, None if there are no binaries.
    """

    url: str
    peers: str
    folder: Path
    postgres: PostgresServer | None
    results: dict[tuple[str, str, int], list[Sample]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def round(self, count: int, rows: int, *, parts: bool) -> None:
        """Each case once."""
        for target in TARGETS:
            if target == "postgresql" and self.postgres is None:
                continue
            self._ours(target, count, rows)
            self._other("limit", target, count, rows)
            if count <= PEER_POSTINGS and target != "parquet":
                for case in PEERS:
                    self._other(case, target, count, rows)
        for case in PARTS if parts else ():
            with self._destination("duckdb") as destination:
                self._keep((case, "duckdb", count), self._run_ours(case, count, _address("duckdb", destination)))

    def _ours(self, target: str, count: int, rows: int) -> None:
        with self._destination(target) as destination:
            address = _address(target, destination)
            for case in ("ours", "again", "skip"):
                self._keep((case, target, count), self._run_ours(case, count, address))
            found = _loaded(target, destination, "postings" if target == "parquet" else "rma.postings")
            assert found == rows, (target, found, rows)
            with self._amended(count):
                self._keep(("amended", target, count), self._run_ours("amended", count, address))

    @contextmanager
    def _amended(self, count: int) -> Iterator[None]:
        """The service has other postings."""
        here, there = (self.folder / f"t{count}" / name for name in ("transactions.xml", AMENDED))
        aside = here.with_suffix(".aside")
        here.rename(aside)
        there.rename(here)
        yield
        here.rename(there)
        aside.rename(here)

    def _other(self, case: str, target: str, count: int, rows: int) -> None:
        if case in self.missing or (case in _ONCE and (case, target, count) in self.results):
            return
        python = sys.executable if case == "limit" else self.peers
        url = f"{self.url}/api/latest/clients/t{count}/charts/x/transactions"
        with self._destination(target) as destination:
            command = [python, "-m", "benchmarks.ledger_peers", case, target, url, destination]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if "ModuleNotFoundError" in done.stderr:
                self.missing.add(case)
                return
            assert done.returncode == 0, done.stderr
            self._keep((case, target, count), json.loads(done.stdout))
            found = _loaded(target, destination, "books.postings" if case.startswith("dlt") else "postings")
            assert found == rows, (case, target, found, rows)

    def _run_ours(self, case: str, count: int, address: str) -> Sample:
        command = [sys.executable, "-m", "benchmarks.ledger_load", "--sample", case, self.url, f"t{count}", address]
        return dict(json.loads(subprocess.check_output(command)))

    def _keep(self, key: tuple[str, str, int], sample: Sample) -> None:
        self.results.setdefault(key, []).append(sample)
        print(*key, json.dumps(sample), file=sys.stderr, flush=True)

    @contextmanager
    def _destination(self, target: str) -> Iterator[str]:
        """Something empty: a path, or the address of a database."""
        if target == "postgresql":
            assert self.postgres
            name = self.postgres.create_database()
            yield self.postgres.url(name).replace("+psycopg2", "")
            self.postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield f"{folder}/ledger.{target}"

    # -------------------------------------------------------------- tables

    def median(self, case: str, target: str, count: int, what: str = "seconds") -> float:
        """Median of one figure."""
        return statistics.median(sample[what] for sample in self.results[case, target, count])

    def compared(self, target: str, count: int) -> Iterator[str]:
        """Ours beside the others."""
        cases = [case for case in NAMES if (case, target, count) in self.results]
        yield f"\n{count:,} postings into {target}, medians:\n"
        yield "| through | samples | seconds | min to max | postings/s | time, ours = 1 | core seconds | peak MB |"
        yield "|---|---|---|---|---|---|---|---|"
        ours = self.median("ours", target, count)
        for case in cases:
            samples = self.results[case, target, count]
            seconds = self.median(case, target, count)
            times = [sample["seconds"] for sample in samples]
            spread = f"{min(times):.2f} to {max(times):.2f}"
            megabytes = max(sample["megabytes"] for sample in samples)
            yield (
                f"| {NAMES[case]} | {len(samples)} | {seconds:.2f} | {spread} | {count / seconds:,.0f} "
                f"| {seconds / ours:.2f} | {self.median(case, target, count, 'used'):.2f} | {megabytes:.0f} |"
            )
        yield from sorted(f"\n{NAMES[case]}: not installed." for case in self.missing)

    def parts(self, count: int) -> Iterator[str]:
        """What each part costs."""
        yield f"\n{count:,} postings into duckdb, what is gained by leaving parts out:\n"
        yield "| left out | seconds saved | of the whole | seconds of all cores saved | of the whole |"
        yield "|---|---|---|---|---|"
        for case, (name, _) in PARTS.items():
            cells = []
            for what in ("seconds", "used"):
                whole = self.median("ours", "duckdb", count, what)
                saved = whole - self.median(case, "duckdb", count, what)
                cells.append(f"{saved:.2f} | {saved / whole:.0%}")
            yield f"| {name} | {' | '.join(cells)} |"

    def goals(self) -> Iterator[str]:
        """What was to be reached, and what was: by the clock, and in brackets by the seconds of all cores."""
        yield "\n| goal | " + " | ".join(f"{count:,}" for count in self.counts) + " |"
        yield "|---|" + "---|" * len(self.counts)
        for target in TARGETS:
            for case, least in (("dlt", 8), ("dlt_xmltodict", 8), ("script", 4)):
                if target != "parquet":
                    ratios = self._ratios(case, "ours", target)
                    yield f"| {target}: at least {least} times as fast as {NAMES[case].partition(':')[0]} | {ratios} |"
            yield f"| {target}: at most 2 times the limit's time | {self._ratios('ours', 'limit', target)} |"
            yield f"| {target}: nothing changed, at most 0.2 of a full run | {self._ratios('skip', 'ours', target)} |"
            yield f"| {target}: less than 300 MB: first run, nothing changed, changed | {self._megabytes(target)} |"

    @property
    def counts(self) -> list[int]:
        return sorted({count for _, _, count in self.results})

    def _ratios(self, above: str, below: str, target: str) -> str:
        cells = []
        for count in self.counts:
            if (above, target, count) in self.results and (below, target, count) in self.results:
                clock, cores = (
                    self.median(above, target, count, what) / self.median(below, target, count, what)
                    for what in ("seconds", "used")
                )
                cells.append(f"{clock:.2f} ({cores:.2f})")
            else:
                cells.append("not measured")
        return " | ".join(cells)

    def _megabytes(self, target: str) -> str:
        return " | ".join(
            ", ".join(
                f"{max(sample['megabytes'] for sample in self.results[case, target, count]):.0f}"
                for case in ("ours", "again", "amended")
                if (case, target, count) in self.results
            )
            for count in self.counts
        )


def _address(target: str, destination: str) -> str:
    return destination if target == "postgresql" else f"{target}:///{destination}"


def _loaded(target: str, destination: str, table: str) -> int:
    """How many postings are there, counted in a process of its own."""
    program = {
        "duckdb": "import duckdb; print(duckdb.connect(place).execute(f'SELECT count(*) FROM {table}').fetchone()[0])",
        "postgresql": "import psycopg; print(psycopg.connect(place).execute("
        "f'SELECT count(*) FROM {table}').fetchone()[0])",
        "parquet": "import pathlib, pyarrow.parquet as pq; one = pathlib.Path(place)\n"
        "files = [one] if one.is_file() else one.rglob('postings-*.parquet')\n"
        "print(sum(pq.read_metadata(file).num_rows for file in files))",
    }[target]
    command = [sys.executable, "-c", f"import sys; place, table = sys.argv[1:]; {program}", destination, table]
    return int(subprocess.check_output(command))


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--peers", default=sys.executable, help="Python interpreter that has the peers installed")
    parser.add_argument("--postings", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sample:
        print(json.dumps(_sample(*given.sample)))
        return
    say = partial(print, flush=True)
    packages = ("pyarrow", "xml2arrow", "duckdb", "psycopg", "requests")
    say(f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in packages)}; "
        f"{os.cpu_count()} cores, {platform.machine()}.")  # fmt: skip
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(service(folder))
        binaries = find_binaries()
        postgres = stack.enter_context(PostgresServer(binaries, fsync=True)) if binaries else None
        bench = Bench(url, given.peers, folder, postgres)
        for count in given.postings:
            tenant = folder / f"t{count}"
            tenant.mkdir()
            rows = prepare(tenant, count)
            for _ in range(given.rounds):
                bench.round(count, rows, parts=count > PEER_POSTINGS and given.rounds > 1)
            say(f"\nLoad average {os.getloadavg()[0]:.1f}.")
            for target in TARGETS:
                if ("ours", target, count) in bench.results:
                    say("\n".join(bench.compared(target, count)))
            if ("none", "duckdb", count) in bench.results:
                say("\n".join(bench.parts(count)))
            for name in ("transactions.xml", AMENDED):
                (tenant / name).unlink()
        say("\n".join(bench.goals()))


if __name__ == "__main__":
    main()
