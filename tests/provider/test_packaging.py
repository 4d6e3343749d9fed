"""What is built is what users install: checked in the wheel itself, which is built from the source distribution."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.reference import ROOT

EXAMPLES = {path.name for path in (ROOT / "example_dags").glob("*.py")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # No isolation: the build backend is among the pins, so nothing is downloaded.
    build = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_has_the_example_dags_as_files(wheel: zipfile.ZipFile) -> None:
    assert "nightly_billing.py" in EXAMPLES
    for name in EXAMPLES:
        packed = wheel.read(f"airflow_provider_rma/example_dags/{name}")
        assert packed == (ROOT / "example_dags" / name).read_bytes()


def test_the_wheel_has_every_module_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = ROOT / "airflow_provider_rma"
    sources = {str(path.relative_to(ROOT)) for kind in ("*.py", "*.j2") for path in package.rglob(kind)}
    sources |= {f"airflow_provider_rma/example_dags/{name}" for name in EXAMPLES}
    assert sources <= packed
    assert "airflow_provider_rma/py.typed" in packed
    assert not [name for name in packed if not name.startswith("airflow_provider_rma/")]
    assert not [name for name in packed if "__pycache__" in name or name.endswith(".pyc")]


def test_the_source_distribution_has_what_a_packager_needs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "tests/conftest.py",
        "docs/connection.md",
    } <= names
    assert {f"example_dags/{name}" for name in EXAMPLES} <= names


def test_names_and_licence(metadata: Message) -> None:
    assert metadata["Name"] == "airflow-provider-rma"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    classifiers = metadata.get_all("Classifier") or []
    assert "Framework :: Apache Airflow" in classifiers
    assert "Framework :: Apache Airflow :: Provider" in classifiers
    assert "Typing :: Typed" in classifiers


def test_airflow_finds_the_documentation(metadata: Message) -> None:
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL") or [])
    assert urls["Documentation"].startswith("https://")


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    text = wheel.read(name).decode()
    assert "[apache_airflow_provider]" in text
    assert "provider_info = airflow_provider_rma.get_provider_info:get_provider_info" in text
    assert "rma-simulator = airflow_provider_rma.simulator.__main__:main" in text


def _requirements(metadata: Message) -> list[Requirement]:
    return [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]


def test_requirements(metadata: Message) -> None:
    hard = {one.name.lower(): str(one.specifier) for one in _requirements(metadata) if one.marker is None}
    assert hard.pop("apache-airflow") == ">=3.1"
    assert hard.pop("marshmallow") == ">=3.26"
    assert hard.pop("sqlalchemy") == ">=1.4.54"
    assert set(hard) == {
        "apache-airflow-providers-common-compat",
        "apache-airflow-providers-common-sql",
        "apache-airflow-providers-standard",
        "click",
        "fsspec",
        "lxml",
        "pendulum",
        "pyyaml",
        "requests",
    }


def test_no_upper_bounds(metadata: Message) -> None:
    for requirement in _requirements(metadata):
        assert not [one for one in requirement.specifier if one.operator in ("<", "<=", "==", "~=")], requirement.name


def test_extras(metadata: Message) -> None:
    extras = metadata.get_all("Provides-Extra") or []
    assert {"duckdb", "parquet", "postgres", "simulator"} <= set(extras)

    def brings(extra: str) -> set[str]:
        return {
            one.name
            for one in _requirements(metadata)
            if one.marker is not None and one.marker.evaluate({"extra": extra})
        }

    assert brings("simulator") == {"starlette", "uvicorn"}
    for extra in ("duckdb", "parquet", "postgres"):
        assert "pyarrow" in brings(extra)
