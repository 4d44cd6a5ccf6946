"""What evaluation asks for: captions whose mixture of sky, setting and subject training never showed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from training.captions import full
from training.scenes import COLOURED, COLOURS, PLACES, Scene, held_out_mixtures, subject_at


@dataclass(frozen=True)
class Order:
    """One caption and what it asks for."""

    caption: str
    scene: Scene


def held_out_orders(count: int, seed: int = 7) -> list[Order]:
    """Each names sky, setting and the whole subject, in a mixture held out of training; the same ones every time."""
    mixtures = held_out_mixtures()
    random.Random(seed).shuffle(mixtures)
    orders = []
    for index in range(count):
        rng = random.Random(f"order/{seed}/{index}")
        sky, setting, kind = mixtures[index % len(mixtures)]
        colour = rng.choice(COLOURS) if kind in COLOURED else None
        subject = subject_at(kind, colour, rng.choice(PLACES), rng)
        scene = Scene(sky, setting, 0.6, None, subject, False, False, False, False, False, index)
        orders.append(Order(full(scene, rng), scene))
    return orders


def silent_orders(count: int, seed: int = 8) -> list[Order]:
    """Each names sky and setting alone, so that clouds, mountains and a subject are left to chance."""
    orders: list[Order] = []
    for order in held_out_orders(count, seed):
        scene = Scene(order.scene.sky, order.scene.setting, 0.6, None, None, False, False, False, False, False, 0)
        orders.append(Order(full(scene, random.Random(f"silent/{seed}/{len(orders)}")), scene))
    return orders
