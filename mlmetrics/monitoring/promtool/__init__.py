"""Unit tests of the rules for `promtool test rules`: scenarios, test cases, and a file each for alerts, slo, drift."""
