"""Other instruments of the SDKs, run against the same servers: what each tells of each call, beside the ledger.

`scripts/rivals.sh` installs each in an environment of its own, runs it, and writes docs/rivals.md.
"""
