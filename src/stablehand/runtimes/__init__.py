"""Ways to carry out recipes. Importing this room must stay quick: torch is only loaded when a runtime starts."""
