"""The one way in which the books say no."""

from __future__ import annotations


class RefusalError(Exception):
    """A business rule refuses what was asked.

    :param text: a German sentence, as the service would respond.
    :param field: the name of the field that caused the refusal, if one did.
    """

    def __init__(self, text: str, field: str | None = None) -> None:
        super().__init__(text, field)
        self.text = text
        self.field = field

    def __str__(self) -> str:
        return self.text
