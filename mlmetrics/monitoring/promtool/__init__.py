"""Unit tests of the rules, as `promtool test rules` reads them."""
