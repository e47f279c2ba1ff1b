"""Several processes of one service on one host: files that each writes in place, who reads and who reaps."""
