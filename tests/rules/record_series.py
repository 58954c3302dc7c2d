"""Writes the recorded series beside it: `python -m tests.rules.record_series`. Run once; the files are what tests read.

How they are made. People come to a poster at random (Poisson by the minute) with the rhythm of a day (quiet at night,
a bump at noon, a peak at 20:30), a factor of its own for every day (log-normal, 10 %), weekends 15 % livelier, and in
some series a trend of up to 2 % a day. Each of them takes a seat; 55 to 90 % long-press it within minutes; of those
70 to 95 % join; unpressed seats lapse after 48 hours. In some series an admin reads the group's number each evening
between 21:00 and 22:30. Groups are filled one after another, 195 each, as the product
counts them: headcount + live seats since. A series ends when the last group is full. Nothing of this is shared with
`app.rules.forecast`. The seeds are 1 to 10, taken as they came.

Each file: a line of facts, then one line for each hour and group in which something changed: hour, group, seats,
pressed, counted and really inside at its end, headcount read in it (or nothing) and the minute of that.
"""

import csv
import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent / "series"
START = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
LAPSE = 48 * 60
MOST_DAYS = 45


def of_day(minute_of_day: float) -> float:
    hour = minute_of_day / 60
    noon, evening = math.exp(-((hour - 12.3) ** 2) / 4), math.exp(-((hour - 20.5) ** 2) / 6)
    return 0.12 + (0.9 if 7 <= hour < 24 else 0.0) * 0.5 + 0.6 * noon + 1.1 * evening


def record(seed: int) -> None:
    dice = random.Random(seed)
    groups, per_day = dice.choice([8, 9, 10, 12]), dice.choice([40, 60, 90, 120])
    presses, joins = dice.uniform(0.55, 0.9), dice.uniform(0.7, 0.95)
    trend, counts = dice.choice([0.0, 0.0, 0.01, 0.02, -0.01]), dice.random() < 0.5
    mean = sum(of_day(minute) for minute in range(1440)) / 1440
    base, seats, live = [0] * groups, [[] for _ in range(groups)], [[] for _ in range(groups)]
    inside = [0] * groups
    rows: list[list[object]] = []
    full_at: list[int | None] = [None] * groups
    before = [0] * groups
    factor, read_at = 1.0, -1
    hour_seats, hour_pressed, headcount = [0] * groups, [0] * groups, [("", "")] * groups
    for minute in range(MOST_DAYS * 1440):
        at = START + timedelta(minutes=minute)
        local = at + timedelta(hours=8)
        if minute == 0 or (local.hour, local.minute) == (4, 0):
            factor = math.exp(dice.gauss(0, 0.1)) * (1.15 if local.isoweekday() > 5 else 1.0)
            factor *= (1 + trend) ** (minute / 1440)
            read_at = 21 * 60 + dice.randrange(90) if counts else -1
        for group in range(groups):
            live[group] = [(taken, pressed) for taken, pressed in live[group] if pressed or taken > minute - LAPSE]
        rate = per_day / 1440 * factor * of_day(local.hour * 60 + local.minute) / mean
        for _ in range(poisson(dice, rate)):
            group = next((g for g in range(groups) if base[g] + len(live[g]) < 195), None)
            if group is None:
                break
            pressed = dice.random() < presses
            live[group].append((minute, pressed))
            seats[group].append(minute)
            hour_seats[group] += 1
            hour_pressed[group] += pressed
            inside[group] += pressed and dice.random() < joins
            if base[group] + len(live[group]) >= 195 and full_at[group] is None:
                full_at[group] = minute
        if local.hour * 60 + local.minute == read_at:
            for group in range(groups):
                if full_at[group] is None and inside[group]:
                    base[group], live[group] = inside[group], []
                    headcount[group] = (str(inside[group]), str(minute % 60))
        if at.minute == 59:
            for group in range(groups):
                counted = len(live[group])
                row = [hour_seats[group], hour_pressed[group], counted, inside[group], *headcount[group]]
                if row[:2] != [0, 0] or counted != before[group] or headcount[group][0]:
                    rows.append([minute // 60, group, *row])
                before[group] = counted
            hour_seats, hour_pressed, headcount = [0] * groups, [0] * groups, [("", "")] * groups
        if full_at[-1] is not None:
            break
    facts = {
        "seed": seed, "start": START.isoformat(), "groups": groups, "per_day": per_day, "presses": round(presses, 3),
        "joins": round(joins, 3), "trend": trend, "headcounts": counts, "full_minutes": full_at,
    }  # fmt: skip
    with (FOLDER / f"series_{seed:02d}.csv").open("w", newline="", encoding="utf-8") as out:
        out.write("# " + json.dumps(facts) + "\n")
        csv.writer(out, lineterminator="\n").writerows(rows)


def poisson(dice: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for number in range(1, 11):
        record(number)
