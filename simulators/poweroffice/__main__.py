"""`python -m simulators.poweroffice`: serve until interrupted, on 127.0.0.1 unless told
otherwise."""

from __future__ import annotations

import argparse
import socket
import sys
from contextlib import suppress

import uvicorn

from simulators.poweroffice.app import build
from simulators.poweroffice.http import Client
from simulators.poweroffice.settings import Settings
from simulators.storage import StateFile

LOOPBACK = "127.0.0.1"
MAIN_CLIENT = "tandem"


def extra_client(text: str) -> Client:
    """NAME=APPKEY:CLIENTKEY:SUBSCRIPTIONKEY. Raises ArgumentTypeError otherwise."""
    name, _, keys = text.partition("=")
    parts = keys.split(":")
    if not name or len(parts) != 3 or not all(parts):
        raise argparse.ArgumentTypeError("NAME=APPKEY:CLIENTKEY:SUBSCRIPTIONKEY is expected")
    return Client(name, *parts)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.poweroffice", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--application-key", required=True)
    parser.add_argument("--client-key", required=True)
    parser.add_argument("--subscription-key", required=True)
    parser.add_argument(
        "--rate-limit", type=int, default=10, help="requests per second, 0 lifts the limit"
    )
    parser.add_argument("--data", choices=("demo", "empty"), default="demo")
    parser.add_argument(
        "--extra-client", type=extra_client, action="append", default=[], metavar="NAME=A:C:S"
    )
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="keep the data in this SQLite file, and begin with what it holds",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    given = arguments(argv)
    own = Client(MAIN_CLIENT, given.application_key, given.client_key, given.subscription_key)
    file = StateFile(given.state) if given.state else None
    app = build(
        (own, *given.extra_client), Settings(rate_limit_per_s=given.rate_limit), given.data, file
    )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((given.host, given.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            print(
                f"--port: {given.port} on {given.host} cannot be used ({reason}); name "
                f"another, or 0",
                file=sys.stderr,
            )
            sys.exit(2)
        listener.listen(128)
        print(
            f"poweroffice simulator on http://{given.host}:{listener.getsockname()[1]}/v2",
            flush=True,
        )
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
            date_header=False,
        )
        # uvicorn raises the interrupt again after it has shut down in order.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
