"""Signing in: Flask-Security's flows behind our own store, errors and letters."""
