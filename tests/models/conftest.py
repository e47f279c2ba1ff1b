"""What needs a library is collected where it is; `make models` installs them."""

from importlib.util import find_spec

import pytest

LIBRARIES = ("torch", "transformers", "sentence_transformers")
collect_ignore_glob = [f"test_{name}.py" for name in LIBRARIES if find_spec(name) is None]


def pytest_configure(config: pytest.Config) -> None:
    """Let the libraries warn of what they themselves do."""
    config.addinivalue_line(
        "filterwarnings", "ignore::Warning:(torch|transformers|sentence_transformers|huggingface_hub)"
    )
    config.addinivalue_line("filterwarnings", "ignore:.*LeafSpec:FutureWarning")
    config.addinivalue_line("filterwarnings", "ignore:`torch.jit.*deprecated:DeprecationWarning")
