"""Reads of all clients of a process share the patience of a host."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.read_limit import ReadLimiter, get_limiter
from airflow_provider_rma.client.retry import RetryPolicy
from tests.support.scripted_server import ScriptedServer, respond

BODY = b'{"chart": [{"accno": "1000"}]}'


class Crowd:
    """A reply that notes how many get it at once, and waits until that were as many as are expected."""

    def __init__(self, expected: int) -> None:
        self.most = self._now = 0
        self._expected = expected
        self._change = threading.Condition()

    def __call__(self, client: socket.socket) -> None:
        with self._change:
            self._now += 1
            self.most = max(self.most, self._now)
            self._change.notify_all()
            self._change.wait_for(lambda: self.most >= self._expected, timeout=60)
        time.sleep(0.02)  # room for one too many
        # The client may let the next one in as soon as it has the response.
        with self._change:
            self._now -= 1
        respond(200, BODY)(client)


def count_at_once(limits: list[int], expected: int, each: int = 4) -> int:
    """How many requests were under way at once: clients with these limits, each used by some threads."""
    reply = Crowd(expected)
    with ScriptedServer([reply]) as server:
        clients = [RunMyAccountsClient(server.config(max_in_flight=limit)) for limit in limits]
        with ThreadPoolExecutor(each * len(clients)) as pool:
            lists = list(pool.map(lambda client: client.list_charts(), clients * each))
        for client in clients:
            client.close()
    assert len(lists) == each * len(limits)
    return reply.most


def test_clients_of_one_host_read_one_after_the_other_unless_told_otherwise() -> None:
    assert count_at_once([1, 1, 1], 1) == 1


def test_as_many_as_are_allowed_are_under_way() -> None:
    assert count_at_once([3, 3], 3) == 3


def test_different_hosts_do_not_wait_for_each_other() -> None:
    assert get_limiter("https://a.example") is get_limiter("https://A.example")
    assert get_limiter("https://a.example") is not get_limiter("https://b.example")


def test_a_failure_lets_the_next_one_in() -> None:
    with ScriptedServer([respond(500), respond(200, BODY)]) as server:
        config = server.config()
        with RunMyAccountsClient(config, retry=RetryPolicy(tries=2), sleep=lambda _: None) as client:
            assert client.list_charts() == [{"accno": "1000"}]
            assert client.list_charts() == [{"accno": "1000"}]


def test_who_waits_between_two_tries_holds_up_nobody() -> None:
    with ScriptedServer([respond(500), respond(200, BODY)]) as server:
        waiting, free = threading.Event(), threading.Event()

        def sleep(_: float) -> None:
            waiting.set()
            assert free.wait(5)

        with (
            RunMyAccountsClient(server.config(), sleep=sleep) as first,
            RunMyAccountsClient(server.config()) as second,
            ThreadPoolExecutor(1) as pool,
        ):
            slow = pool.submit(first.list_charts)
            assert waiting.wait(5)
            assert second.list_charts() == [{"accno": "1000"}]
            free.set()
            assert slow.result(5) == [{"accno": "1000"}]


def test_an_error_inside_leaves_the_gate_open() -> None:
    limiter = ReadLimiter()
    with pytest.raises(RuntimeError), limiter.admit(1):
        raise RuntimeError
    with limiter.admit(1):
        pass


def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have() -> None:
    with get_limiter("https://forked.example").admit(1):
        child = os.fork()
        if child == 0:
            with get_limiter("https://forked.example").admit(1):
                os._exit(0)
        deadline = time.monotonic() + 60
        while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        if done == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
        assert done == (child, 0)
