"""A chat about this toolkit: answers stream to the browser, and stop being made when the reader leaves."""
