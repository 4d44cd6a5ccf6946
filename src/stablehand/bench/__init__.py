"""Benchmarks: each module has one ``run`` that returns a JSON object. Like wiring, this room may import every other."""
