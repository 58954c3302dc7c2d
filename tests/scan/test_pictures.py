"""Published images: by their hash, for a year, and nothing else from the disk."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from app.outside.files import FileStore
from app.scan.pictures import Pictures

PNG = b"\x89PNG\r\n\x1a\n and the rest of a picture"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "images")


@pytest.fixture
def client(store: FileStore) -> Client:
    return Client(Pictures(store))


@pytest.mark.parametrize(
    ("suffix", "media_type"), [("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp")]
)
def test_a_picture_is_kept_for_a_year(store: FileStore, client: Client, suffix: str, media_type: str) -> None:
    name = store.put(PNG, suffix)
    reply = client.get(f"/m/{name}")
    assert (reply.status_code, reply.data) == (200, PNG)
    assert reply.headers["Content-Type"] == media_type
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert int(reply.headers["Content-Length"]) == len(PNG)
    assert reply.headers["ETag"] == f'"{name[:32]}"'


def test_who_has_it_is_not_sent_it_again(store: FileStore, client: Client) -> None:
    name = store.put(PNG, "png")
    reply = client.get(f"/m/{name}", headers={"If-None-Match": f'"other", W/"{name[:32]}"'})
    assert (reply.status_code, reply.data) == (304, b"")
    assert "immutable" in reply.headers["Cache-Control"]


def test_head_tells_the_size_alone(store: FileStore, client: Client) -> None:
    reply = client.head(f"/m/{store.put(PNG, 'png')}")
    assert (reply.status_code, reply.data, reply.headers["Content-Length"]) == (200, b"", str(len(PNG)))


def test_a_server_that_can_send_files_itself_is_handed_the_file(store: FileStore, client: Client) -> None:
    handed: list[Any] = []

    def wrapper(file: Any) -> Iterable[bytes]:
        handed.append(file)
        return iter([file.read()])

    reply = client.get(f"/m/{store.put(PNG, 'png')}", environ_overrides={"wsgi.file_wrapper": wrapper})
    assert reply.data == PNG
    handed[0].close()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab.png",
        "0" * 32,
        "0" * 32 + ".svg",
        "0" * 32 + ".png",
        "../secret_key",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "é.png",
    ],
)
def test_nothing_else_is_there(store: FileStore, client: Client, name: str) -> None:
    store.put(PNG, "png")
    (store.root.parent / "secret_key").write_text("secret")
    reply = client.get(f"/m/{name}")
    assert (reply.status_code, reply.data) == (404, b"")
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_picture_can_only_be_read(store: FileStore, client: Client) -> None:
    reply = client.post(f"/m/{store.put(PNG, 'png')}")
    assert (reply.status_code, reply.headers["Allow"]) == (405, "GET, HEAD")
