"""`mlmetrics run`: a server of several processes, with a directory in which their metrics meet."""
