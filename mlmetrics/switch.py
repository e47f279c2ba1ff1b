"""Whether mlmetrics records at all: `MLMETRICS_DISABLED`, read once, when this is imported."""

import os
from typing import Final

from mlmetrics.errors import ConfigurationError

VARIABLE = "MLMETRICS_DISABLED"
"""The environment variable that switches everything off."""
_MEANINGS = {"": False, "0": False, "false": False, "1": True, "true": True}


def disabled(value: str) -> bool:
    """Return whether a value of the variable switches off.

    Raises:
        ConfigurationError: it is none of those that are known. Neither meaning may be guessed: one loses all metrics,
            and the other records against somebody's will.
    """
    meaning = _MEANINGS.get(value.strip().lower())
    if meaning is None:
        raise ConfigurationError(
            f"{VARIABLE}={value!r:.100}: expected 1 or true to switch mlmetrics off, 0 or false to leave it on; "
            "correct it, or unset it"
        )
    return meaning


DISABLED: Final = disabled(os.environ.get(VARIABLE, ""))
"""Whether nothing is recorded. Declarations are checked all the same, and scrapes are answered."""
