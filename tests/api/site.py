"""A site for tests: real services over a temporary database and folder, a client at the door, and an agent to play."""

import io
import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from stablehand import settings
from stablehand.api import Options, Readiness, create_app
from stablehand.domain.orders import KINDS
from stablehand.services import Services
from stablehand.services.agents import hash_token, register_agent
from stablehand.services.catalogue import scan
from stablehand.wiring import folders, safety, serving

TOKEN = "a-token-that-only-this-test-knows"
INCARNATION = "first-life"
DEVICE = {"kind": "cpu", "name": "test device", "precision": "fp32"}


def write_checkpoint(folder: Path) -> None:
    """The smallest diffusers folder that the catalogue can read: headers of a Stable Diffusion 1 UNet, no weights."""
    tensors = {
        "unet": {
            "conv_in.weight": [320, 4, 3, 3],
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": [320, 768],
        },
        "vae": {"decoder.conv_in.weight": [512, 4, 3, 3]},
        "text_encoder": {"text_model.embeddings.position_embedding.weight": [77, 768]},
    }
    configs = {
        "unet": {
            "_class_name": "UNet2DConditionModel",
            "in_channels": 4,
            "cross_attention_dim": 768,
            "sample_size": 64,
        },
        "vae": {"_class_name": "AutoencoderKL", "latent_channels": 4},
        "text_encoder": {"architectures": ["CLIPTextModel"], "hidden_size": 768},
        "scheduler": {"_class_name": "DDIMScheduler", "prediction_type": "epsilon"},
    }
    names = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
    for part, config in configs.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        file = "scheduler_config.json" if part == "scheduler" else "config.json"
        (folder / part / file).write_text(json.dumps(config))
    for part, shapes in tensors.items():
        header: dict[str, Any] = {}
        start = 0
        for name, shape in shapes.items():
            size = 2
            for side in shape:
                size *= side
            header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, start + size]}
            start += size
        text = json.dumps(header).encode()
        with (folder / part / f"{names[part]}.safetensors").open("wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            out.truncate(8 + len(text) + start)
    (folder / "tokenizer").mkdir(exist_ok=True)
    (folder / "model_index.json").write_text(
        json.dumps(
            {
                "_class_name": "StableDiffusionPipeline",
                "unet": ["diffusers", "UNet2DConditionModel"],
                "vae": ["diffusers", "AutoencoderKL"],
                "text_encoder": ["transformers", "CLIPTextModel"],
                "tokenizer": ["transformers", "CLIPTokenizer"],
                "scheduler": ["diffusers", "DDIMScheduler"],
            }
        )
    )


def picture(width: int, height: int, file_format: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 60, 40)).save(out, file_format)
    return out.getvalue()


@dataclass
class Site:
    """One server without its sockets."""

    app: Flask
    services: Services
    options: Options
    client: FlaskClient
    agent_id: str
    hellos: list[str] = field(default_factory=list)

    def order(self, **fields: Any) -> Any:
        """Submit a job that must be accepted."""
        body = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64, "format": "png", **fields}
        answer = self.client.post("/api/v1/jobs", json=body)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return answer.get_json()

    def tell(self, verb: str, **fields: Any) -> TestResponse:
        """One message of the agent's."""
        return self.client.post(
            f"/agent/v1/{verb}",
            json={"incarnation": INCARNATION, **fields},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def hello(self) -> None:
        answer = self.tell("hello", runtime="null", kinds=list(KINDS), device=DEVICE, ready=True, seats=8)
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def claim(self, seats: int = 8) -> list[dict[str, Any]]:
        answer = self.tell("claim", seats=seats, wait_seconds=0)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        leases: list[dict[str, Any]] = answer.get_json()["leases"]
        return leases

    def upload(self, lease: dict[str, Any], data: bytes) -> TestResponse:
        return self.client.put(
            f"/agent/v1/shots/{lease['shot_id']}/picture?token={lease['token']}",
            data=data,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"},
        )

    def draw(self, **said: Any) -> int:
        """Play the agent: claim and deliver until nothing is queued. Returns how many pictures that were.

        ``said``: what it says of each picture besides.
        """
        self.hello()
        drawn = 0
        while leases := self.claim():
            pictures = []
            for lease in leases:
                recipe = lease["recipe"]
                data = picture(recipe["width"], recipe["height"], recipe["format"].upper())
                uploaded = self.upload(lease, data)
                assert uploaded.status_code == 200, uploaded.get_data(as_text=True)
                pictures.append(
                    {
                        "shot_id": lease["shot_id"],
                        "token": lease["token"],
                        "upload": uploaded.get_json()["upload"],
                        "width": recipe["width"],
                        "height": recipe["height"],
                        "format": recipe["format"],
                        "seed": recipe["seed"],
                        "infotext": f"{recipe['prompt']}\nSteps: {recipe['steps']}",
                        "device_seconds": 0.5,
                        **said,
                    }
                )
            answer = self.tell("deliver", pictures=pictures)
            assert sorted(answer.get_json()["accepted"]) == sorted(lease["shot_id"] for lease in leases)
            assert answer.get_json()["refused"] == []
            drawn += len(leases)
        return drawn

    def stored(self) -> dict[str, int]:
        """How much there is of everything that a request could leave behind."""
        jobs = self.client.get("/api/v1/jobs?limit=200").get_json()["items"]
        images = self.client.get("/api/v1/images?limit=200").get_json()["items"]
        queue = self.client.get("/api/v1/status").get_json()["queue"]
        return {"jobs": len(jobs), "images": len(images), **queue}


Make = Callable[..., "Site"]


def make_site(folder: Path, *, template: Path | None = None, yaml: str = "", **changes: Any) -> Site:
    """``template``: a migrated database to begin with; ``yaml``: settings; ``changes``: of the doors' options."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / settings.FILE_NAME).write_text(yaml)
    table = settings.load(data_dir=folder)
    folders.prepare_data_dir(table)
    if template is None:
        serving.migrate(table)
    else:
        shutil.copy(template, table.database_path)
    write_checkpoint(table.models_dir / "checkpoints" / "tiny")
    services = serving.open_services(table, checker=safety.open_checker(table))
    scan(services, table.models_dir)
    hellos: list[str] = []
    options = serving.options(
        table, readiness=lambda: Readiness(ready=True, stored=True, checks={"store": "ok"}), on_hello=hellos.append
    )
    for name, value in changes.items():
        object.__setattr__(options, name, value)
    app = create_app(services, options)
    agent = register_agent(services, "test-agent", "default", hash_token(TOKEN))
    return Site(app, services, options, app.test_client(), agent.id, hellos)
