"""What an operation says to whoever asked, when it will not do it; the REST API answers with it."""


class Refused(Exception):
    """A sentence for the person who asked; `field` is the input that it is about, if any."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class Stale(Refused):
    """Somebody else changed it since the caller read it."""
