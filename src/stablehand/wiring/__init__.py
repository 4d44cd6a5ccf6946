"""The only room that chooses parts: which store, which objects, which runtime, and the order of start and end."""
