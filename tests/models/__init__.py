"""Models that run in this process, instrumented: real libraries, with tiny models that are made in the tests."""
