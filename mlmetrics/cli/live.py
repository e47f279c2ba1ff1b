"""`mlmetrics live`: the page in the browser that shows what services record now."""

from pathlib import Path

import click

from mlmetrics.cli.errors import CommandError
from mlmetrics.cli.options import attempt, config_option
from mlmetrics.live.feed import live_feed
from mlmetrics.live.guard import TOKEN_VARIABLE, is_token
from mlmetrics.live.serving import HOST, PORT, has_desktop, listen, note_on_port, open_page, serve
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import load

_FILE = click.Path(path_type=Path, dir_okay=False)
_GIVE = "give the address of a metrics page, as in `mlmetrics live http://localhost:5051/metrics`"


@click.command()
@click.argument("urls", metavar="[URL]...", nargs=-1)
@config_option
@click.option("--prometheus", metavar="URL", default="", help="Ask this Prometheus instead of /metrics pages.")
@click.option("--host", default=HOST, show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"The port; 0 is any free one.  [default: {PORT}, or a free one if that is taken]",
)
@click.option(
    "--token",
    default="",
    envvar=TOKEN_VARIABLE,
    show_envvar=True,
    help="What viewers have to know; needed with a --host that other machines reach.",
)
@click.option(
    "--bearer-token-file", type=_FILE, help="A file with the token to read the targets, or the Prometheus, with."
)
@click.option("--ca-file", type=_FILE, help="Certificates of authorities to trust beside those of the system.")
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open the page in the browser.  [default: on a desktop, without a --token]",
)
@click.pass_context
def live(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    config_path: Path,
    prometheus: str,
    host: str,
    port: int | None,
    token: str,
    bearer_token_file: Path | None,
    ca_file: Path | None,
    opens: bool | None,
) -> None:
    """Show in the browser what the services record whose /metrics pages are at URLs.

    The page has the panels of the dashboards, a table by model, and the alerts of the project on the last 15 minutes,
    read every 2 s. Without URLs, the services of the configuration are read. Ctrl-C ends it.

    Example: mlmetrics live http://localhost:5051/metrics localhost:5052

    Exit codes: 0 it was ended by Ctrl-C, 2 it could not start.
    """
    if urls and prometheus:
        raise click.UsageError("--prometheus is asked instead of URLs: give one or the other")
    if opens and token:
        raise click.UsageError(
            "--open would show the token in the list of processes: open the printed address yourself"
        )
    config = attempt(lambda: _configuration(ctx, config_path))
    if not urls and not prometheus and config is None:
        raise CommandError(f"there is no {config_path} with services: {_GIVE}")
    bearer = _token_in(bearer_token_file)
    authorities = str(ca_file or "")
    feed = attempt(lambda: live_feed(urls, config=config, token=bearer, ca_file=authorities, prometheus=prometheus))
    listening = attempt(lambda: listen(host, port, token))

    def told(url: str) -> None:
        click.echo(f"mlmetrics live: {url}  ({note_on_port(listening, port)}Ctrl-C ends it)")
        if (has_desktop() and not token) if opens is None else opens:
            open_page(url)

    serve(feed, listening, host=host, token=token, told=told)


def _configuration(ctx: click.Context, path: Path) -> Config | None:
    """Return the configuration of the project, None where there is none and none was asked for."""
    is_asked_for = ctx.get_parameter_source("config_path") is not click.core.ParameterSource.DEFAULT
    return load(path) if is_asked_for or path.exists() else None


def _token_in(path: Path | None) -> str:
    """Return the token that stands alone in a file, an empty text where no file was given."""
    if path is None:
        return ""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--bearer-token-file {path}: cannot be read ({error})") from error
    if not is_token(token):
        raise CommandError(f"--bearer-token-file {path}: expected the token alone, in one line")
    return token
