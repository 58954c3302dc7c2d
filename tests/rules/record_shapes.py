"""Writes the series of known shapes beside it: `python -m tests.rules.record_shapes`. Run once, before the forecast
that is tried on them was changed; the files are what tests read, and they stay as they came.

What is recorded. Ten shapes in which people come to a poster, each twice (seeds 1 and 2), 21 days from a Tuesday ten
in the morning in Shanghai. Every minute so many people come as a Poisson draw gives around a rate; the rate is

    people a day × rhythm of the day × factor of this day × shape

where the rhythm is quiet at night, has a bump at noon and its peak at 20:30 (`of_day`), and the factor of a day is
drawn anew each day (log-normal, 10 %): no day is like the other, whatever the shape.

    steady      150 a day, the same at every hour of day and night
    rhythm      150 a day with the rhythm of a day
    weekend     110 a day, twice and a half as many on Saturday and Sunday
    office      160 a day, a tenth of it on Saturday and Sunday
    burst       70 a day, and a post that brings 500 more from day 9, 19:00 on, half of them within 5 hours
    decay       420 a day at first, half of it after every 5 days: an event that is over
    growth      90 a day, 7 % more every day
    change      60 a day for 9 days, 190 a day from then on: the poster was moved
    headcounts  150 a day of whom 60 % join; an admin reads every group's number each evening between 21:00 and 21:30
    sparse      5 a day, to groups of 25

Groups of 195 are filled one after another. Everybody takes a seat; 75 % long-press, 80 % of those join (in `headcounts`
75 % and 80 %, too, which makes the 60). Counted as the product counts: last headcount + live seats since; seats that
were not pressed lapse after 48 hours. Nothing of this is shared with `app.rules.forecast`.

What is asked of the forecast was written down before it was tried: see `test_forecast_shapes`.
"""

import csv
import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.rules.record_series import poisson

FOLDER = Path(__file__).parent / "shapes"
START = datetime(2026, 9, 1, 2, 0, tzinfo=UTC)
DAYS, GROUPS, LAPSE = 21, 40, 48 * 60
PRESSES, JOINS = 0.75, 0.8
A_DAY = {
    "steady": 150, "rhythm": 150, "weekend": 110, "office": 160, "burst": 70, "decay": 420, "growth": 90, "change": 60,
    "headcounts": 150, "sparse": 5,
}  # fmt: skip


def of_day(local: datetime) -> float:
    hour = local.hour + local.minute / 60
    noon, evening = math.exp(-((hour - 12.3) ** 2) / 4), math.exp(-((hour - 20.5) ** 2) / 6)
    return 0.12 + (0.45 if hour >= 7 else 0.0) + 0.6 * noon + 1.1 * evening


MEAN = sum(of_day(START + timedelta(minutes=minute)) for minute in range(1440)) / 1440


def rate(shape: str, minute: int, local: datetime) -> float:
    """People a minute before the day's own factor."""
    day = minute / 1440
    people = A_DAY[shape] * (1.0 if shape == "steady" else of_day(local) / MEAN)
    if local.isoweekday() > 5:
        people *= {"weekend": 2.5, "office": 0.1}.get(shape, 1.0)
    if shape == "decay":
        people *= 0.5 ** (day / 5)
    if shape == "growth":
        people *= 1.07**day
    if shape == "change" and day >= 9:
        people *= 190 / 60
    since = minute - (9 * 1440 + 9 * 60)  # day 9 begins at ten in the morning: nine hours later it is 19:00
    if shape == "burst" and since >= 0:
        people += 500 * 1440 * math.log(2) / 300 * 0.5 ** (since / 300)
    return people / 1440


def record(shape: str, seed: int) -> None:
    dice = random.Random(f"{shape} {seed}")
    capacity = 25 if shape == "sparse" else 195
    base, live = [0] * GROUPS, [[] for _ in range(GROUPS)]
    inside, before = [0] * GROUPS, [0] * GROUPS
    full_at: list[int | None] = [None] * GROUPS
    rows: list[list[object]] = []
    factor, read_at = 1.0, -1
    seats, pressed, headcount = [0] * GROUPS, [0] * GROUPS, [("", "")] * GROUPS
    for minute in range(DAYS * 1440):
        local = START + timedelta(minutes=minute, hours=8)
        if minute == 0 or (local.hour, local.minute) == (4, 0):
            factor = math.exp(dice.gauss(0, 0.1))
            read_at = 21 * 60 + dice.randrange(30) if shape == "headcounts" else -1
        for group in range(GROUPS):
            live[group] = [seat for seat in live[group] if seat[1] or seat[0] > minute - LAPSE]
        for _ in range(poisson(dice, rate(shape, minute, local) * factor)):
            group = next(group for group in range(GROUPS) if base[group] + len(live[group]) < capacity)
            is_pressed = dice.random() < PRESSES
            live[group].append((minute, is_pressed))
            seats[group] += 1
            pressed[group] += is_pressed
            inside[group] += is_pressed and dice.random() < JOINS
            if base[group] + len(live[group]) >= capacity and full_at[group] is None:
                full_at[group] = minute
        if local.hour * 60 + local.minute == read_at:
            for group in range(GROUPS):
                if full_at[group] is None and inside[group]:
                    base[group], live[group] = inside[group], []
                    headcount[group] = (str(inside[group]), str(minute % 60))
        if minute % 60 == 59:
            for group in range(GROUPS):
                counted = len(live[group])
                if seats[group] or counted != before[group] or headcount[group][0]:
                    numbers = [seats[group], pressed[group], counted, inside[group]]
                    rows.append([minute // 60, group, *numbers, *headcount[group]])
                before[group] = counted
            seats, pressed, headcount = [0] * GROUPS, [0] * GROUPS, [("", "")] * GROUPS
    used = 1 + max(group for group in range(GROUPS) if inside[group] or live[group])
    facts = {
        "shape": shape, "seed": seed, "start": START.isoformat(), "groups": used, "capacity": capacity,
        "per_day": A_DAY[shape], "headcounts": shape == "headcounts", "full_minutes": full_at[:used],
    }  # fmt: skip
    with (FOLDER / f"{shape}_{seed}.csv").open("w", newline="", encoding="utf-8") as out:
        out.write("# " + json.dumps(facts) + "\n")
        csv.writer(out, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in A_DAY:
        for number in (1, 2):
            record(name, number)
