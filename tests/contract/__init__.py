"""The contract: a decorated callable is what it was, and is recorded exactly once."""
