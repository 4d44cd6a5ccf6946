"""The simulator: a described fleet under a described load, decided by the same functions as the real one. Pure."""
