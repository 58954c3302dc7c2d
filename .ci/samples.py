"""Reads a folder of sample pictures (screens/ and public/, each with a manifest.csv) the way an upload is read.

    python .ci/samples.py FOLDER

Every screen must give its expected links, of its expected kind, and a code drawn anew from each must say the same.
Every public picture must be read, so that it can be bound or refused for what it says. A wrong text fails.
"""

import csv
import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.outside.images import ImageRefusal, Upload, card_cut, open_upload
from app.outside.qr_read import FoundCode, payloads, proven_cut, read
from app.outside.qr_write import draw_member
from app.rules.kinds import BadTarget, classify

KIND_NAMES = {"wecom_personal": "wecom_contact"}


def main(folder: Path) -> int:
    passed = failed = 0
    for check in (screens, public):
        for name, milliseconds, fault in check(folder / check.__name__):
            passed, failed = passed + (not fault), failed + bool(fault)
            print(f"{'FAIL' if fault else 'ok  '} {name:40} {milliseconds:6.0f} ms  {fault}".rstrip())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def screens(folder: Path) -> Iterator[tuple[str, float, str]]:
    for row in manifest(folder):
        upload, codes, milliseconds = look(folder / row["file"])
        expected = json.loads(row["expected_texts"])
        kind = classify(codes[0].text or "") if codes else None
        wanted = KIND_NAMES.get(row["kind"], row["kind"])
        fault = ""
        if [code.text for code in codes] != expected:
            fault = f"read {[code.text for code in codes]}, expected {expected}"
        elif isinstance(kind, BadTarget) or kind is None or kind.key != wanted:
            fault = f"is {kind}, expected {wanted}"
        elif not all(shown(upload, code) for code in codes):
            fault = "cannot be shown"
        yield row["file"], milliseconds, fault


def public(folder: Path) -> Iterator[tuple[str, float, str]]:
    """Texts of undeclared Japanese character sets are compared by their bytes: they are refused, not guessed."""
    for row in manifest(folder):
        _, codes, milliseconds = look(folder / row["file"])
        said = [plain(code.text if code.text is not None else code.payload.decode("shift_jis")) for code in codes]
        fault = "" if said == [plain(row["expected_text"])] else f"read {said}, expected {row['expected_text']!r}"
        yield row["file"], milliseconds, fault


def manifest(folder: Path) -> list[dict[str, str]]:
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def look(path: Path) -> tuple[Upload, tuple[FoundCode, ...], float]:
    data = path.read_bytes()
    start = time.perf_counter()
    upload = open_upload(data)
    if isinstance(upload, ImageRefusal):
        raise SystemExit(f"{path.name}: {upload}")
    codes = read(upload).codes
    return upload, codes, (time.perf_counter() - start) * 1000


def shown(upload: Upload, code: FoundCode) -> bool:
    """Drawn anew and cut out, both say what was read; the card is small."""
    cut, drawn = proven_cut(upload, code), draw_member(code.text or "")
    return all(data is not None and says(data) == [code.payload] for data in (cut, drawn)) and (
        len(card_cut(upload, code.corners)) <= 40_000
    )


def says(picture: bytes) -> list[bytes]:
    with Image.open(BytesIO(picture)) as image:
        return payloads(image)


def plain(text: str) -> str:
    """Manifests end their lines and their texts in their own way."""
    return unicodedata.normalize("NFC", "\n".join(line.rstrip() for line in text.splitlines())).strip()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
