"""`python -m mlmetrics.cli`: the command line, where the script `mlmetrics` is not on the path."""

from mlmetrics.cli.root import main

main(prog_name="mlmetrics")
