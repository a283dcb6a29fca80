"""Why something about a tool is not done, in words for whoever asked."""


class ToolRefused(Exception):
    """A sentence for the person who asked; `field` is the input that it is about, if any."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class StaleVersion(ToolRefused):
    """Somebody else changed the tool since the caller read it."""
