"""An installation as full as the benchmark asks about: 100,000 live codes, 1,000,000 visitors who hold seats.

`python bench/full.py FOLDER` makes the folder once (about ten minutes); `python bench/run.py --full FOLDER` compares
scans in it with scans in an empty one.
"""

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402

from app.codes.models import LiveCode  # noqa: E402
from app.ledger import keys  # noqa: E402
from bench.redis_cases import Bench, visitors  # noqa: E402
from tests.servers import flask, start_redis  # noqa: E402

THREADS, AT_ONCE = 6, 1000


def fill(folder: Path, live_codes: int, each: int) -> None:
    folder.mkdir(parents=True)
    environ = {**os.environ, "HUOZI_DATA_DIR": str(folder), "HUOZI_SECRET_KEY": "b" * 40}
    flask(["db", "upgrade"], environ)
    flask(["user", "ensure-admin"], environ)
    seed = ["--live-codes", str(live_codes), "--members", "10", "--scans", "0", "--visitors", "0", "--days", "1"]
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "demo", "seed", *seed]
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    server = start_redis()
    try:
        here = Bench(f"sqlite:///{folder}/huozi.db", server.url, folder)
        with here.engine.connect() as connection:
            ids = list(connection.scalars(sa.select(LiveCode.id).order_by(LiveCode.id)))

        def claim(numbered: tuple[int, int]) -> None:
            snapshot = here.snapshots.by_id(numbered[1])
            assert snapshot is not None
            here.claims(snapshot, visitors(each), forget=False)
            if numbered[0] % 5000 == 0:
                print(f"{numbered[0]} live codes", flush=True)

        # Mostly waiting for answers, so several at once. The pipeline would have emptied the streams meanwhile.
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(ids), AT_ONCE):
                list(pool.map(claim, enumerate(ids[start : start + AT_ONCE], start)))
                here.client.delete(*map(keys.stream, range(keys.BUCKETS)))
        here.client.save()
        here.close()
        shutil.copy(server.folder / "dump.rdb", folder)
    finally:
        server.stop()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("folder", type=Path)
    words.add_argument("--live-codes", type=int, default=100_000)
    words.add_argument("--visitors-each", type=int, default=10)
    asked = words.parse_args()
    fill(asked.folder, asked.live_codes, asked.visitors_each)


if __name__ == "__main__":
    main()
