"""How an agent on this machine draws. Kept apart from what serves, which an agent need not load."""

from stablehand.domain.errors import BadSettings
from stablehand.ports import Fetch, Runtime, RuntimeFactory
from stablehand.settings import Settings

#: pictures that the null runtime draws at once unless compute.seats says otherwise
NULL_SEATS = 8


def runtime_factory(settings: Settings, fetch: Fetch | None = None) -> RuntimeFactory:
    """How an agent on this machine makes its runtime; nothing heavy is imported before it does.

    ``fetch`` brings weights that are not in the models folder.
    """

    def native() -> Runtime:
        from stablehand.engine import devices  # noqa: PLC0415 - loads torch
        from stablehand.runtimes.native import NativeRuntime  # noqa: PLC0415

        if settings.compute.cuda and devices.choose(settings.compute.precision).device.type != "cuda":
            raise BadSettings(
                "compute.cuda is true, but there is no CUDA device that torch can use.",
                hint="Install NVIDIA's driver and a CUDA build of torch, or set compute.cuda to false.",
            )
        return NativeRuntime(
            models_dir=settings.models_dir,
            precision=settings.compute.precision,
            seats=settings.compute.seats,
            threads=settings.compute.threads,
            exact_rows=settings.compute.exact_rows,
            fetch=fetch,
        )

    def null() -> Runtime:
        from stablehand.runtimes.null import NullRuntime  # noqa: PLC0415 - the native one is the usual one

        return NullRuntime(
            seconds_per_step=settings.compute.null_seconds_per_step, seats=settings.compute.seats or NULL_SEATS
        )

    return null if settings.compute.runtime == "null" else native
