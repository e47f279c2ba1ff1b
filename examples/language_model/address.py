"""Where the server listens; apart, because the server itself is slow to import."""

import os

HOST = "127.0.0.1"


def port() -> int:
    """Return the port of the environment, else the default one."""
    return int(os.environ.get("LANGUAGE_MODEL_PORT", "5056"))
