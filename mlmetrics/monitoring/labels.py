"""Which texts Prometheus accepts as the name of a label, and as the value of a label in a rule."""

LONGEST_VALUE = 120
LONGEST_ADDRESS = 1_000


def is_label_name(name: str) -> bool:
    """Tell whether a text may be the name of a label; Prometheus reserves names that begin with `__`."""
    return name.isascii() and name.isidentifier() and not name.startswith("__")


def is_label_value(text: str, longest: int = LONGEST_VALUE) -> bool:
    """Tell whether a text may be the value of a label in a rule, where Prometheus would expand `{{`."""
    return 0 < len(text) <= longest and text.isprintable() and "{{" not in text and text == text.strip()
