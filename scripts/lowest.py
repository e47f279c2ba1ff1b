"""Prints the lowest version of every dependency that pyproject.toml allows, as constraints for pip.

The dependency group `lowest` has further upper limits that these versions need.
"""

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,]+\])?(?:>=|==)(?P<version>[\w.!]+)")


def main() -> None:
    """Print one constraint a line."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"].values()
    tools = [each for name in ("runtime", "test") for each in groups[name] if isinstance(each, str)]
    declared = {*project["project"]["dependencies"], *tools, *(each for extra in extras for each in extra)}
    for requirement in sorted(declared):
        bound = BOUND.fullmatch(requirement)
        if bound is None:
            sys.exit(f"pyproject.toml: {requirement}: expected a lowest version, as in name>=1.2")
        sys.stdout.write(f"{bound['name']}=={bound['version']}\n")
    sys.stdout.write("\n".join([*groups["lowest"], ""]))


if __name__ == "__main__":
    main()
