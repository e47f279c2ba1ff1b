"""Instruments of SDKs, one file and one extra each; what they share stands beside them."""
