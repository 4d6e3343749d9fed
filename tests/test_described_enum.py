"""Members that say what they mean."""

from __future__ import annotations

import json
import pickle

from airflow_provider_rma.described_enum import DescribedEnum


class Light(DescribedEnum):
    RED = "red", "stop", "Wait for green."
    GREEN = "green", "go"


def test_a_member_is_its_value_and_knows_its_meaning() -> None:
    assert (Light.RED, Light.RED.meaning, Light.RED.advice) == ("red", "stop", "Wait for green.")
    assert Light.GREEN.advice == ""


def test_a_member_is_found_by_its_value() -> None:
    assert Light("green") is Light.GREEN
    assert [light.value for light in Light] == ["red", "green"]


def test_a_member_survives_json_and_pickle() -> None:
    assert json.dumps(Light.RED) == '"red"'
    assert pickle.loads(pickle.dumps(Light.RED)) is Light.RED  # noqa: S301 - our own bytes
