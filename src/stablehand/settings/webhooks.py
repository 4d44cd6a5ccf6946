"""Settings of webhooks: what accounts may be told elsewhere."""

from pydantic import Field

from stablehand.settings.section import Section


class WebhookSettings(Section):
    http: bool = Field(False, description="Take addresses that begin with http:// too, which anybody between can read.")
    most: int = Field(10, ge=0, le=1000, description="How many webhooks an account may have.")
    log_days: float = Field(30, gt=0, le=3650, description="Days for which what was sent, and its answers, are kept.")
