"""Prints the lowest version of every dependency that pyproject.toml allows, as constraints for pip.

The arguments are extras of which to print them alone. Without arguments, the extras are those of `make versions`; the
dependency group `lowest` has further upper limits that these versions need.
"""

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,]+\])?(?:>=|==)(?P<version>[\w.!]+)")
EXTRAS = ("fastapi", "cli", "live", "demo")


def main() -> None:
    """Print one constraint a line."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"]
    declared = {each for name in sys.argv[1:] or EXTRAS for each in extras[name]}
    limits = []
    if len(sys.argv) == 1:
        declared |= {each for name in ("runtime", "test") for each in groups[name] if isinstance(each, str)}
        declared |= set(project["project"]["dependencies"])
        limits = groups["lowest"]
    own = project["project"]["name"]
    for requirement in sorted(each for each in declared if not each.startswith(own)):  # an extra may hold another one
        bound = BOUND.fullmatch(requirement)
        if bound is None:
            sys.exit(f"pyproject.toml: {requirement}: expected a lowest version, as in name>=1.2")
        sys.stdout.write(f"{bound['name']}=={bound['version']}\n")
    sys.stdout.write("\n".join([*limits, ""]))


if __name__ == "__main__":
    main()
