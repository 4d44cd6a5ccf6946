"""The doors: HTTP and Socket.IO in front of the use cases. Knows services, domain and the agent protocol, no technology
behind them; every choice is handed in by wiring."""

from stablehand.api.app import create_app
from stablehand.api.options import AccountOptions, Options, ProviderOptions, Rates, Readiness

__all__ = ["AccountOptions", "Options", "ProviderOptions", "Rates", "Readiness", "create_app"]
