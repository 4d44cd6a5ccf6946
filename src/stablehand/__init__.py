"""Stablehand: a self-hosted Stable Diffusion service for many people at once."""

__version__ = "0.1.0"
