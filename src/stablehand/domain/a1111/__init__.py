"""A1111's dialect, without the network: its bodies to our orders, our jobs to its answers."""
