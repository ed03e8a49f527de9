"""`python -m simulator --dir DIR`: Apple's and Google's push services on your own machine."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from simulator.simulator import Addresses, Simulator

try:
    import uvloop
except ImportError:  # Windows has none
    new_loop = None
else:
    new_loop = uvloop.new_event_loop


def main() -> None:
    """Run until told to stop."""
    options = arguments()
    advertise = options.advertise or (
        "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host  # noqa: S104  # compared
    )
    addresses = Addresses(
        host=options.host,
        advertise=advertise,
        apns_port=options.apns_port,
        fcm_port=options.fcm_port,
        control_port=options.control_port,
    )
    simulator = Simulator(options.dir.resolve(), addresses)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run(simulator))


def arguments() -> argparse.Namespace:
    """Return the command line, read."""
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="keys, certificates, facts.json")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--advertise", help="name others reach us by, for facts.json")
    for name in ("apns", "fcm", "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0: any free port")
    return parser.parse_args()


async def run(simulator: Simulator) -> None:
    """Start, say so in one line, and stop at the first signal."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        await simulator.start()
        facts = simulator.facts
        sys.stdout.write(
            f"listening apns={facts['apns_url']} fcm={facts['fcm_url']}"
            f" control={facts['control_url']} phones={facts['phones_url']}\n"
        )
        sys.stdout.flush()
        await told.wait()
    finally:
        await simulator.stop()


if __name__ == "__main__":
    main()
