"""Inputs: what a picture may be that orders start from."""

INPUT_MAX_BYTES = 32 * 2**20
INPUT_MAX_PIXELS = 16 * 2**20
INPUT_MAX_SIDE = 8192
