"""Dialects: what clients of other programs speak, answered by the same use cases as our own API."""
