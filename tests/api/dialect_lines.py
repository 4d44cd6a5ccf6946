"""Lines of the matrix of access: what one says, and those of the dialects and of the ways in."""

from dataclasses import dataclass
from typing import Literal

#: ``open``: to everybody · ``flow``: of Flask-Security, anonymous or not · ``browser``: of the same, signed in only
#: ``agent``: an agent's token only · ``session``: signed in, no key · ``read``, ``generate``, ``admin``: a session,
#: or a key with that scope; ``own`` besides: nobody but whose it is. ``refused``: to everybody who is let in.
Kind = Literal["open", "flow", "browser", "agent", "session", "read", "generate", "admin", "refused"]


@dataclass(frozen=True)
class Line:
    kind: Kind
    own: str = ""  #: which of Ada's things the rule is asked about


OPEN, FLOW, BROWSER, AGENT, ADMIN = Line("open"), Line("flow"), Line("browser"), Line("agent"), Line("admin")
SESSION, READ, GENERATE, REFUSED = Line("session"), Line("read"), Line("generate"), Line("refused")

#: the dialect of A1111's web UI
A1111 = {
    **{
        f"GET /sdapi/v1/{name}": READ
        for name in (
            *("cmd-flags", "embeddings", "face-restorers", "hypernetworks", "latent-upscale-modes", "loras", "memory"),
            *("options", "progress", "prompt-styles", "realesrgan-models", "samplers", "schedulers", "script-info"),
            *("scripts", "sd-models", "sd-vae", "upscalers"),
        )
    },
    **{
        f"POST /sdapi/v1/{name}": GENERATE
        for name in (
            *("extra-batch-images", "extra-single-image", "img2img", "interrupt", "options", "refresh-checkpoints"),
            *("refresh-embeddings", "refresh-loras", "refresh-vae", "reload-checkpoint", "skip", "txt2img"),
            "unload-checkpoint",
        )
    },
    **{
        f"POST /sdapi/v1/{name}": REFUSED
        for name in (
            *("create/embedding", "create/hypernetwork", "interrogate", "server-kill", "server-restart"),
            *("server-stop", "train/embedding", "train/hypernetwork"),
        )
    },
    "GET /sdapi/v1/extensions": REFUSED,
    "POST /controlnet/detect": REFUSED,
    "POST /sdapi/v1/png-info": READ,
    **{
        f"GET /controlnet/{name}": READ
        for name in ("control_types", "model_list", "module_list", "settings", "version")
    },
    "GET /internal/pending-tasks": READ,
    "GET /internal/ping": READ,
    "GET /config": READ,
    "GET /user": READ,
    "POST /internal/progress": READ,
}

#: the dialect of OpenAI's Images API
OPENAI = {
    **{f"POST /v1/images/{name}": GENERATE for name in ("generations", "edits", "variations")},
    "GET /v1/models": READ,
    "GET /v1/models/<path:name>": READ,
}

#: what would wait for an agent that is not there is refused once it is known who asks
A1111_BODIES: dict[str, dict[str, object]] = {
    "POST /sdapi/v1/txt2img": {"steps": "many"},
    "POST /sdapi/v1/img2img": {"steps": "many"},
    "POST /sdapi/v1/extra-single-image": {"resize_mode": 3},
}

#: ways in
AUTH: dict[str, Line] = {
    "GET /api/v1/auth/door": OPEN,
    "POST /api/v1/auth/claim": OPEN,
    "GET /api/v1/auth/change": BROWSER,
    "POST /api/v1/auth/change": BROWSER,
    "GET /api/v1/auth/change-email": BROWSER,
    "POST /api/v1/auth/change-email": BROWSER,
    "GET /api/v1/auth/change-email/<token>": FLOW,
    "GET /api/v1/auth/confirm": FLOW,
    "POST /api/v1/auth/confirm": FLOW,
    "GET /api/v1/auth/confirm/<token>": FLOW,
    "POST /api/v1/auth/confirm/<token>": FLOW,
    "GET /api/v1/auth/login": FLOW,
    "POST /api/v1/auth/login": FLOW,
    "POST /api/v1/auth/logout": FLOW,
    "GET /api/v1/auth/mf-recovery": FLOW,
    "POST /api/v1/auth/mf-recovery": FLOW,
    "GET /api/v1/auth/mf-recovery-codes": BROWSER,
    "POST /api/v1/auth/mf-recovery-codes": BROWSER,
    "GET /api/v1/auth/register": FLOW,
    "POST /api/v1/auth/register": FLOW,
    "GET /api/v1/auth/reset": FLOW,
    "POST /api/v1/auth/reset": FLOW,
    "GET /api/v1/auth/reset/<token>": FLOW,
    "POST /api/v1/auth/reset/<token>": FLOW,
    "GET /api/v1/auth/tf-rescue": FLOW,
    "POST /api/v1/auth/tf-rescue": FLOW,
    "GET /api/v1/auth/tf-select": FLOW,
    "POST /api/v1/auth/tf-select": FLOW,
    "GET /api/v1/auth/tf-setup": FLOW,
    "POST /api/v1/auth/tf-setup": FLOW,
    "POST /api/v1/auth/tf-setup/<token>": BROWSER,
    "GET /api/v1/auth/tf-validate": FLOW,
    "POST /api/v1/auth/tf-validate": FLOW,
    "GET /api/v1/auth/verify": BROWSER,
    "POST /api/v1/auth/verify": BROWSER,
    "GET /api/v1/auth/oidc/callback": OPEN,
    "GET /api/v1/auth/oidc/sign-in": OPEN,
    "GET /api/v1/auth/oidc/sign-out": OPEN,
}
