"""Named points in the code at which a test makes something fail: the test seam of this package.

What must survive a crash is tested by crashing it, and what must survive another run by letting that run happen, at one
exact step. The code names the step::

    reach("window.deleted", tenant=tenant)

and a test, often in a process that it starts for the purpose, says what happens there::

    with at("window.deleted", lambda tenant: os.kill(os.getpid(), signal.SIGKILL)):
        ...

Without a handler, and outside tests there never is one, reaching a point costs one look at an empty dictionary. A name
is `<what>.<step>`, e.g. `manifest.written`, and stands at one place of the code. Any layer may use this module. It
imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_handlers: dict[str, Callable[..., object]] = {}


def reach(point: str, **details: Any) -> None:
    """Call the handler that a test has set for a point. Do nothing if there is none.

    :param point: name of the point.
    :param details: values that the handler may need; it receives them by name.
    """
    if _handlers and (handler := _handlers.get(point)):
        handler(**details)


@contextmanager
def at(point: str, handler: Callable[..., object]) -> Iterator[None]:
    """Set the handler of a point for the duration of the block, in all threads of this process.

    :param handler: called with the details of the point; what it raises is raised at the point.
    """
    before = _handlers.get(point)
    _handlers[point] = handler
    try:
        yield
    finally:
        if before is None:
            _handlers.pop(point, None)
        else:
            _handlers[point] = before
