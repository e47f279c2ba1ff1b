"""From a finished call to samples: what is appended, how it is folded, how it is exposed."""
