"""Runs the simulator: `python -m simulators.chargebee --port 0 --api-key KEY`."""

import argparse
import asyncio
import socket
import sys
from contextlib import suppress

import uvicorn

from simulators.chargebee.access import ROLES, ApiKey
from simulators.chargebee.app import Simulator
from simulators.chargebee.routes import PREFIX
from simulators.chargebee.settings import Settings
from simulators.chargebee.site import MAIN_USER
from simulators.storage import StateFile

LOOPBACK = "127.0.0.1"


class AnnouncingServer(uvicorn.Server):
    """Prints its address once it listens, since port 0 lets the system choose."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"chargebee simulator on {self._address}{PREFIX}", flush=True)


def _named_key(text: str) -> ApiKey:
    """NAME=KEY or NAME=KEY:ROLE. Raises ArgumentTypeError for anything else."""
    name, _, rest = text.partition("=")
    secret, _, role = rest.partition(":")
    if not (name and secret):
        raise argparse.ArgumentTypeError("should be NAME=KEY or NAME=KEY:ROLE")
    for known in ROLES:
        if role in ("", known):
            return ApiKey(name, secret, known)
    raise argparse.ArgumentTypeError(f"the role should be one of {', '.join(ROLES)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulators.chargebee", description="A local Chargebee site."
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", required=True, help=f"the key named {MAIN_USER}")
    parser.add_argument(
        "--extra-api-key", type=_named_key, action="append", default=[], metavar="NAME=KEY[:ROLE]"
    )
    parser.add_argument("--rate-limit", type=int, default=150, help="requests per minute, 0 = off")
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-username")
    parser.add_argument("--webhook-password")
    parser.add_argument("--data", choices=("demo", "saas", "empty"), default="demo")
    parser.add_argument(
        "--state", metavar="FILE", help="keep everything in this SQLite file; it goes before --data"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    settings = Settings(
        rate_limit_per_minute=arguments.rate_limit,
        webhook_url=arguments.webhook_url,
        webhook_username=arguments.webhook_username,
        webhook_password=arguments.webhook_password,
    )
    keys = (ApiKey(MAIN_USER, arguments.api_key), *arguments.extra_api_key)
    state_file = StateFile(arguments.state) if arguments.state else None
    simulator = Simulator(keys, settings, arguments.data, state_file)
    # asyncio turns off the delay of small packets only where the protocol is named; it costs 40 ms
    # per reply.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((arguments.host, arguments.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            print(
                f"--port: {arguments.port} on {arguments.host} cannot be used ({reason}); name "
                f"another, or 0",
                file=sys.stderr,
            )
            sys.exit(2)
        address = f"http://{arguments.host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            simulator.app(),
            log_level="warning",
            access_log=False,
            lifespan="on",
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        # uvicorn raises the interrupt again after it has shut down in order.
        with suppress(KeyboardInterrupt):
            asyncio.run(AnnouncingServer(config, address).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
