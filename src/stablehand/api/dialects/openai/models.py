"""Checkpoints, as this dialect lists its models."""

from flask import Blueprint, Response, jsonify

from stablehand.api.door import Door
from stablehand.domain.openai.answers import model_of
from stablehand.domain.openai.drafts import find_model
from stablehand.services.catalogue import allowed_checkpoints


def add(api: Blueprint, door: Door) -> None:
    @api.get("/v1/models")
    def models() -> Response:
        data = [model_of(checkpoint) for checkpoint in allowed_checkpoints(door.services, door.account)]
        return jsonify({"object": "list", "data": data})

    @api.get("/v1/models/<path:name>")
    def model(name: str) -> Response:
        return jsonify(model_of(find_model(allowed_checkpoints(door.services, door.account), name)))
