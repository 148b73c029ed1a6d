"""The partner deliveries are sent to: the sandbox's webhook endpoint in a process of its own, `python -m benchmarks._partner`.

Says where it answers and with which secret it wants to be signed to; then, for every line it is sent, what it has had since
the line before. Ends when its standard input closes.
"""

import json
import sys

from adapters.sandbox.partner import PartnerSandbox


def main() -> None:
    with PartnerSandbox() as partner:
        say({"url": partner.base_url, "secret": partner.secret})
        for _ in sys.stdin:
            say(
                {
                    "ids": [one.id for one in partner.deliveries],
                    "repeats": len(partner.repeats),
                    "refusals": len(partner.refusals),
                    "payloads": {one.payload["subject"]: one.payload["data"] for one in partner.deliveries},
                }
            )
            forget(partner)


def forget(partner: PartnerSandbox) -> None:
    """Between two rounds nobody sends, so nothing is lost by it; and the partner looks up each id among few."""
    partner.deliveries.clear()
    partner.repeats.clear()
    partner.refusals.clear()
    partner.received.clear()


def say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
