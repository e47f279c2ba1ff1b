"""Unit tests of the rules for `promtool test rules`: scenarios, test cases, a file each for alerts, slo and drift."""
