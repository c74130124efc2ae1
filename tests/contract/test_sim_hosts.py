"""Where both simulators listen."""

import re
import subprocess
import sys

import httpx
import pytest

from tests.waiting import PATIENCE_S

KEYS = {
    "chargebee": ["--api-key", "key"],
    "poweroffice": ["--application-key", "a", "--client-key", "c", "--subscription-key", "s"],
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    ("arguments", "host"), [([], "127.0.0.1"), (["--host", "0.0.0.0"], "0.0.0.0")]
)
def test_a_simulator_listens_where_it_is_told(name: str, arguments: list[str], host: str) -> None:
    """On the loopback interface by itself; in a container, on every address."""
    command = [
        sys.executable,
        "-m",
        f"simulators.{name}",
        "--port",
        "0",
        "--data",
        "empty",
        *KEYS[name],
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(rf"http://{re.escape(host)}:(\d+)/", process.stdout.readline())
            assert found
            health = httpx.get(
                f"http://127.0.0.1:{found[1]}/_sim/health", trust_env=False, timeout=PATIENCE_S
            )
            assert health.status_code == 200
        finally:
            process.terminate()
