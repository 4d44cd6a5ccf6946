"""The doors: HTTP and Socket.IO in front of the use cases. Knows services, domain and the agent protocol, no technology
behind them; every choice is handed in by wiring."""

from stablehand.api.app import create_app
from stablehand.api.options import Options, Readiness

__all__ = ["Options", "Readiness", "create_app"]
