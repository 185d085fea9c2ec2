"""What a kernel prints, handed on before it is too much to hold."""

from __future__ import annotations

from ipykernel.iostream import OutStream

MOST_HELD = 1_000_000  # characters


class PromptStream(OutStream):
    """A stream of a kernel that waits until what was printed is sent, when that becomes much.

    Jupyter's own sends five times a second, and holds meanwhile whatever a cell can print: so much
    of it may come together that there is no memory left to send it, and it is lost.
    """

    held = 0  # printed since it waited last

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Write a text; return its length."""
        written = super().write(string)
        self.held += len(string)
        if self.held > MOST_HELD and self._is_master_process():
            self.held = 0
            self.flush()
        return written
