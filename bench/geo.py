"""What the place database gives: look-ups a second on one core, and how often it is right about two lists of resolvers.

    .venv/bin/python bench/geo.py

Asks through the door every scan asks through (`Geo.place`), of the file that is shipped. Prints every address whose
answer is not its label.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.outside.geo import Geo  # noqa: E402
from app.rules.regions import REGIONS, prefixes  # noqa: E402

LISTS = ROOT / "tests" / "outside"
ROOM = 0x01000000, 0xDF000000


@dataclass(frozen=True)
class Answer:
    """One address: what a list says of it, and what the database says; None is "unknown"."""

    address: str
    label: str | None
    found: str | None

    @property
    def verdict(self) -> str:
        return "right" if self.found == self.label else "unknown" if self.found is None else "wrong"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--addresses", type=int, default=100_000, help="how many a round looks up")
    words.add_argument("--rounds", type=int, default=5)
    asked = words.parse_args()
    geo = Geo()
    measured = rates(geo, asked.addresses, asked.rounds)
    print(f"look-ups a second on one core: {statistics.median(measured):,.0f} (median of {len(measured)},", end=" ")
    print(f"slowest {min(measured):,.0f}, fastest {max(measured):,.0f})")
    for name in ("resolvers.csv", "resolvers_blind.csv"):
        labels = [(address, label) for address, label in labelled(name) if label.startswith("CN/")]
        print(f"\n{name}, IPv4 of the mainland")
        for level in ("province", "city"):
            tell(level, answers(geo, level, labels))


def rates(geo: Geo, addresses: int, rounds: int) -> list[float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    chance = Random(3)
    measured = []
    for _ in range(rounds):
        asked = [str(IPv4Address(chance.randrange(*ROOM))) for _ in range(addresses)]
        began = time.perf_counter()
        for address in asked:
            geo.place(address)
        measured.append(addresses / (time.perf_counter() - began))
    return measured


def labelled(name: str) -> Iterable[tuple[str, str]]:
    with (LISTS / name).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if ":" not in row["address"]:
                yield row["address"], row.get("region") or row["city"] or row["province"]


def answers(geo: Geo, level: str, labels: Iterable[tuple[str, str]]) -> list[Answer]:
    of = [Answer(address, at(level, label), at(level, geo.place(address).region)) for address, label in labels]
    return [answer for answer in of if answer.label is not None]


def at(level: str, region: str | None) -> str | None:
    return next((key for key in prefixes(region) if REGIONS[key].level == level), None) if region else None


def tell(level: str, of: Sequence[Answer]) -> None:
    right, unknown, wrong = (sum(one.verdict == verdict for one in of) for verdict in ("right", "unknown", "wrong"))
    print(f"  {level:8} {right} of {len(of)} right, {right / len(of):.1%}; {wrong} wrong, {unknown} unknown")
    for one in of:
        if one.verdict != "right":
            print(f"    {one.address:15} is labelled {zh(one.label)}, found {zh(one.found)}")


def zh(region: str | None) -> str:
    return "".join(REGIONS[key].zh for key in reversed(prefixes(region)[:-1])) if region else "unknown"


if __name__ == "__main__":
    main()
