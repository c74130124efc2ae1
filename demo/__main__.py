"""Run the demo: `python -m demo [--once] [--source orders|invoices] [--data DIR]`.

Exit code 0 only if both systems converged; 1 when they did not or something could not start, 2 for
a directory that cannot be used, 130 after Ctrl-C. Nothing heavy is imported before the first line
is printed.
"""

import argparse
import sys
from pathlib import Path

INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="The whole system with simulated vendors."
    )
    parser.add_argument(
        "--once", action="store_true", help="end by itself: exit code 0 only if converged"
    )
    source = "order.source; invoices: a site without goods, which has no orders"
    parser.add_argument("--source", choices=("orders", "invoices"), default="orders", help=source)
    parser.add_argument(
        "--data", type=Path, help="an empty directory for Kafka's data, settings and logs, kept"
    )
    arguments = parser.parse_args()
    data: Path | None = arguments.data
    if data is not None and data.exists() and any(data.iterdir()):
        # The simulators remember nothing, so links of an earlier run would name records that are
        # gone.
        print(
            f"{data} is not empty; name another directory, or none for a temporary one",
            file=sys.stderr,
        )
        return 2
    print("Tandem's demo: a real Kafka, two simulated vendors and Tandem's services", flush=True)
    try:
        from demo.show import run

        return run(data, arguments.source, once=arguments.once)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
