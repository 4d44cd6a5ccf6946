"""serve: the whole service on this machine."""

from typing import Annotated, Any, Literal

import typer

from stablehand.cli.options import Config, DataDir


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. Default: 7868.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    no_agent: Annotated[bool, typer.Option("--no-agent", help="Start no agent of its own.")] = False,
    role: Annotated[Literal["all"], typer.Option(help="What this process does.")] = "all",
) -> None:
    """Serve the page and the API, and draw with an agent of its own."""
    from stablehand import __version__
    from stablehand.api import server
    from stablehand.cli import logs
    from stablehand.settings import load
    from stablehand.wiring import exposure, folders, serving

    del role  # one choice so far
    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load(data_dir=data_dir, config=config, command_line={"api": given})
    logs.set_up(settings.observability)
    exposure.check_exposure(settings)
    folders.prepare_data_dir(settings)
    lock = folders.lock_data_dir(settings)
    listener = server.bind(settings.api.host, settings.api.port)
    serving.migrate(settings)

    address, bound_port = listener.getsockname()[:2]
    url = f"http://[{address}]:{bound_port}" if ":" in address else f"http://{address}:{bound_port}"
    arguments = ["--data-dir", str(settings.data_dir), *(("--config", str(config.absolute())) if config else ())]
    whole = serving.Serving(settings, server_url=url, with_agent=not no_agent, child_arguments=tuple(arguments))

    def ready() -> None:
        typer.echo(f"Stablehand {__version__} is ready at {settings.api.public_url or url} (Ctrl+C ends it)")
        if not (serving.STATIC_DIR / "index.html").is_file():
            typer.echo("The web page has not been built: run `make install` for it. The API works without.", err=True)
        whole.start_child()

    try:
        server.run(server.Service(start=whole.start, on_ready=ready, stop=whole.stop), listener)
    finally:
        lock.close()
