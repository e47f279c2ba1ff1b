"""What a provider's response says of itself: usage, failure, identity, and whether a chunk carries content.

One file for each wire format. No SDK is imported: its objects are read by the fields that they store.
"""
