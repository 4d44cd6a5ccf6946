"""serve: the whole service on this machine."""

from functools import partial
from typing import Annotated, Any, Literal

import typer

from stablehand.cli.options import Config, DataDir


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. Default: 7868.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    no_agent: Annotated[bool, typer.Option("--no-agent", help="Start no agent of its own.")] = False,
    role: Annotated[
        Literal["all", "web", "live", "courier"],
        typer.Option(help="What this process does. All but `all` need a database server: `storage.database_url`."),
    ] = "all",
) -> None:
    """Serve the page and the API, and draw with an agent of its own."""
    from stablehand import __version__
    from stablehand.api import server
    from stablehand.cli import logs
    from stablehand.settings import file_of, load
    from stablehand.wiring import exposure, folders, serving

    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    read = partial(load, data_dir=data_dir, config=config, command_line={"api": given})
    settings = read()
    logs.set_up(settings.observability, settings.mask)
    exposure.check_exposure(settings)
    exposure.check_role(settings, role, no_agent=no_agent)
    folders.prepare_data_dir(settings)
    lock = folders.lock_data_dir(settings) if role == "all" else None
    listener = server.bind(settings.api.host, settings.api.port)
    serving.migrate(settings)

    address, bound_port = listener.getsockname()[:2]
    url = f"http://[{address}]:{bound_port}" if ":" in address else f"http://{address}:{bound_port}"
    arguments = ["--data-dir", str(settings.data_dir), *(("--config", str(config.absolute())) if config else ())]
    whole = serving.Serving(
        settings,
        server_url=url,
        with_agent=not no_agent,
        child_arguments=tuple(arguments),
        role=role,
        reread=(file_of(config, settings.data_dir), read),
    )

    def ready() -> None:
        what = "Stablehand" if role == "all" else f"Stablehand ({role})"
        typer.echo(f"{what} {__version__} is ready at {settings.api.public_url or url} (Ctrl+C ends it)")
        if claim := whole.claim_path():
            typer.echo(
                "Nobody has claimed the owner's account yet. Whoever opens this link within a day becomes its owner:\n"
                f"  {settings.api.public_url or url}{claim}"
            )
        if role in serving.WITH_API and not (serving.STATIC_DIR / "index.html").is_file():
            typer.echo("The web page has not been built: run `make install` for it. The API works without.", err=True)
        whole.start_child()

    try:
        server.run(server.Service(start=whole.start, on_ready=ready, stop=whole.stop), listener)
    finally:
        if lock is not None:
            lock.close()
