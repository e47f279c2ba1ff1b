"""Several processes of one service: the files that each writes, their sum, and what becomes of those of the dead."""
