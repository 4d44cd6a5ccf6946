"""rescan: have the models folder looked at now, not at the next round."""

from stablehand.services import Services

#: the doorbell topic of whoever scans
SCAN = "scan"


def rescan(services: Services) -> None:
    """Whichever process keeps the folder hears of it; like every ring this may be lost, and the next round comes."""
    services.doorbell.ring(SCAN)
