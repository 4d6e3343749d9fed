from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.support.http_client import SECRET


@pytest.fixture
def no_secret_leaves(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test after which a log holds a secret or the name in a body."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    assert "Muster" not in caplog.text


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's TLS, and the file of the authority that vouches for it."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return context, str(path)
