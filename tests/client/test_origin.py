"""A service has one name, however its address is written."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.origin import OriginError, canonical_origin


@pytest.mark.parametrize(
    ("origin", "spellings"),
    [
        (
            "https://rma.example",
            ("rma.example", "RMA.example", "rma.example:443", "rma.example.", "HTTPS://rma.example", "rma.example/",
             " https://Rma.Example.:0443// ", "rma.example:", "ｒｍａ.example", "rma。example", "https://rma.example.:443/"),
        ),
        ("https://rma.example:8443", ("RMA.example:8443", "https://rma.example.:08443/")),
        ("http://rma.example", ("HTTP://rma.example:80", "http://rma.example.:80/", "http://RMA.EXAMPLE")),
        ("https://xn--mller-kva.example", ("müller.example", "MÜLLER.example", "mu\u0308ller.example.",
                                           "XN--MLLER-KVA.example")),
        ("https://xn--strae-oqa.example", ("straße.example",)),
        ("https://[::1]:1", ("[::1]:1", "https://[0:0:0:0:0:0:0:1]:1", "[::0001]:01")),
        ("https://[fe80::ab]", ("[FE80::AB]:443", "[fe80:0::00ab]")),
        ("https://127.0.0.1", ("127.0.0.1", "127.0.0.1.:443", "１２７.0.0.1")),
        ("https://192.0.2.7", ("[::ffff:192.0.2.7]", "[::FFFF:c000:207]:443")),
        ("https://a_b.rma-1.example", ("A_B.rma-1.example",)),
    ],
)  # fmt: skip
def test_spellings_of_one_service_have_one_origin(origin: str, spellings: tuple[str, ...]) -> None:
    for spelling in spellings:
        assert canonical_origin(spelling) == origin
    assert canonical_origin(origin) == origin


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("", "is no address"),
        ("https://", "is no address"),
        ("//rma.example", "is no address"),
        ("rma..example", "is no address"),
        (".rma.example", "is no address"),
        ("rma.example..", "is no address"),
        ("-rma.example", "is no address"),
        ("rma%2Eexample", "is no address"),
        ("two words", "is no address"),
        ("rma.exa\u200bmple x", "is no address"),
        ("rma.example:99999", "is no address"),
        ("rma.example:-1", "is no address"),
        ("https:rma.example", "is no address"),
        ("127.1", "is no address"),
        ("2130706433", "is no address"),
        ("0x7f.0.0.1", "is no address"),
        ("127.0.0.01", "is no address"),
        ("[::1", "is no address"),
        ("[fe80::1%eth0]", "names a zone"),
        ("[fe80::1%25eth0]", "names a zone"),
        ("[rma.example]", "is no address"),
        ("a" * 64, "is no address"),
        ("ftp://rma.example", "unknown scheme"),
        ("user@rma.example", "user or password"),
        ("https://user:geheim@rma.example", "user or password"),
        ("@rma.example", "user or password"),
        ("rma.example/api", "path or query"),
        ("rma.example/?x", "path or query"),
        ("rma.example#", "path or query"),
    ],
)
def test_what_is_no_origin_is_refused(host: str, words: str) -> None:
    with pytest.raises(OriginError, match=words) as caught:
        canonical_origin(host)
    assert "geheim" not in str(caught.value)


@given(st.one_of(st.text(), st.text(st.sampled_from("aB.:/-[]@1٣ßé\u200b%"), max_size=20)))
def test_the_origin_of_an_origin_is_itself(host: str) -> None:
    try:
        origin = canonical_origin(host)
    except OriginError:
        return
    assert canonical_origin(origin) == origin
    assert origin.isascii()
    assert origin == origin.lower()
    parts = urlsplit(origin)
    assert parts.hostname
    assert not parts.path


def test_everything_that_names_the_service_uses_the_origin() -> None:
    config = ClientConfig(tenant="demo", token="x", host=" RMA.Example.:443/ ")
    assert config.base_url == "https://rma.example/api/latest/clients/demo"
