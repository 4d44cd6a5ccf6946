"""Imported by the process that players are forked from, and by nobody else: it does not outlive the run either."""

from stablehand.bench.chaos.mourning import die_with_parent

die_with_parent()
