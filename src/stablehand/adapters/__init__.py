"""What Stablehand uses from outside: object storage, wake-up bells, weight files. No decisions are made here."""
