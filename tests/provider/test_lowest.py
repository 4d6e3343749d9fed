"""The lowest versions that are tested are those that pyproject.toml admits."""

from __future__ import annotations

import tomllib
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.reference import ROOT


def _pinned() -> dict[str, Version]:
    lines = (ROOT / "requirements/lowest.txt").read_text().splitlines()
    return {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in lines)}


def _bounds() -> dict[str, Version]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    bounds = {}
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        (bound,) = requirement.specifier
        assert bound.operator == ">=", f"{text}: a lower bound and nothing else"
        bounds[canonicalize_name(requirement.name)] = Version(bound.version)
    return bounds


def test_each_bound_is_the_version_that_is_tested() -> None:
    pinned = _pinned()
    for name, bound in _bounds().items():
        tested = pinned[name]
        assert tested >= bound, name
        # A bound may leave out the last part: click>=8.1 is tested with 8.1.7.
        assert tested.release[: len(bound.release)] == bound.release, f"{name}: {tested} is tested, admitted is {bound}"


def test_everything_is_pinned_once() -> None:
    lines = (ROOT / "requirements/lowest.txt").read_text().splitlines()
    assert len(lines) == len(_pinned()) > 100
