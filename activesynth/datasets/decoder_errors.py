"""What is said where the decoding process did not end well, in the names of what was asked for."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

from activesynth.datasets.refusals import printable
from activesynth.errors import InputError

LONGEST_MESSAGE = 4000


@dataclass(frozen=True, slots=True)
class DecoderErrors:
    """Whose input is decoded.

    Attributes:
        field: What the input was given as.
        memory_field: What limits the memory.
        seconds_field: What limits the time.
        way_out: What to do where a limit is met.
    """

    field: str
    memory_field: str
    seconds_field: str
    way_out: str

    def out_of_time(self, seconds: int, item: str) -> InputError:
        """Say that the clock ended it."""
        return InputError(
            f"`{self.seconds_field}`: decoding took longer than {seconds} seconds{item}; "
            f"{self.way_out}.",
            reason="decoder_timeout",
            field=self.seconds_field,
        )

    def out_of_memory(self, mebibytes: int, item: str) -> InputError:
        """Say that there was not enough room."""
        return InputError(
            f"`{self.memory_field}`: decoding needed more than {mebibytes} MiB{item}, which is "
            f"what the limits allow; {self.way_out}.",
            reason="decoder_memory",
            field=self.memory_field,
        )

    def crashed(self, number: int, item: str) -> InputError:
        """Say that a signal ended it."""
        return InputError(
            f"`{self.field}`: the decoder crashed with signal {signal.Signals(number).name}{item}; "
            "the data is damaged or made to do harm: repair or remove it.",
            reason="decoder_crashed",
            field=self.field,
        )

    def failed(self, complaint: str, item: str) -> InputError:
        """Say that it ended with an error of its own."""
        last = complaint.strip().splitlines()[-1:] or ["no word"]
        return InputError(
            f"`{self.field}`: the decoder failed{item}: {printable(last[0], 500)}; if the data is "
            "sound, this is a bug worth reporting.",
            reason="decoder_failed",
            field=self.field,
        )

    def bad_output(self, what: str) -> InputError:
        """Say that it handed back what it should not."""
        return InputError(
            f"`{self.field}`: the decoder handed back {what}; the data is made to do harm, or this "
            "is a bug worth reporting.",
            reason="decoder_output",
            field=self.field,
        )

    def told(self, facts: dict[str, Any]) -> InputError:
        """Return the reader's own error, as far as it reads like one."""
        reason, field, message = (str(facts.get(key, "")) for key in ("reason", "field", "message"))
        if not re.fullmatch(r"[a-z_]{1,40}", reason):
            return self.bad_output(f"the reason {printable(reason, 60)!r}")
        return InputError(
            printable(message, LONGEST_MESSAGE), reason=reason, field=printable(field, 100)
        )


OF_SOURCE = DecoderErrors(
    "source",
    "source.parameters.max_bytes",
    "source.parameters.max_seconds",
    "raise the limit if the data is trusted, or give less",
)
