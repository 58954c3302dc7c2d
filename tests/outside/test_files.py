import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.outside.files import FileStore, StoreFull, is_name

LONG_AGO = 10_000


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "images")


def make_old(store: FileStore, name: str) -> None:
    then = time.time() - LONG_AGO
    os.utime(store.root / name, (then, then))


def test_what_was_put_is_read_back_under_a_name_made_of_its_content(store: FileStore) -> None:
    name = store.put(b"picture", "png")
    assert is_name(name)
    assert name.endswith(".png")
    assert store.open(name) == b"picture"
    assert store.path(name) == store.root / name


def test_the_same_bytes_are_kept_once(store: FileStore) -> None:
    assert store.put(b"picture", "png") == store.put(b"picture", "png")
    assert store.put(b"picture", "png") != store.put(b"pictures", "png")
    assert len(list(store.root.iterdir())) == 2


def test_a_file_of_another_type_is_not_kept(store: FileStore) -> None:
    with pytest.raises(ValueError, match="file name"):
        store.put(b"picture", "html")
    with pytest.raises(ValueError, match="file name"):
        store.put(b"picture", "png/../../x.png")


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "a.png", "/etc/passwd", "0" * 32, "0" * 32 + ".exe", "0" * 32 + ".png\n",
     "０" * 32 + ".png", "0" * 32 + ".png/..", "../" + "0" * 32 + ".png", "A" * 32 + ".png", "0" * 31 + "\x00.png"],
)  # fmt: skip
def test_no_name_leads_out_of_the_store(store: FileStore, name: str) -> None:
    assert store.open(name) is None
    with pytest.raises(ValueError, match="file name"):
        store.path(name)
    with pytest.raises(ValueError, match="file name"):
        store.delete(name)


@settings(deadline=None)
@given(st.text(max_size=50))
def test_only_a_hash_with_a_picture_suffix_is_a_name(text: str) -> None:
    if is_name(text):
        assert set(text) <= set("0123456789abcdef.pngjwebp")
        assert "/" not in text


def test_a_file_that_is_not_there_is_none(store: FileStore) -> None:
    assert store.open("0" * 32 + ".png") is None


def test_deleting_twice_is_deleting_once(store: FileStore) -> None:
    name = store.put(b"picture", "jpg")
    store.delete(name)
    store.delete(name)
    assert store.open(name) is None


def test_a_sweep_takes_what_nobody_names_and_leaves_what_is_young(store: FileStore) -> None:
    kept, dropped, young = store.put(b"kept", "png"), store.put(b"dropped", "png"), store.put(b"young", "png")
    (store.root / "README").write_text("not ours")
    for name in (kept, dropped, "README"):
        make_old(store, name)
    assert store.sweep({kept}) == 1
    assert store.open(kept) == b"kept"
    assert store.open(dropped) is None
    assert store.open(young) == b"young"
    assert (store.root / "README").exists()


def test_a_file_put_again_is_as_young_as_a_new_one(store: FileStore) -> None:
    name = store.put(b"picture", "png")
    make_old(store, name)
    store.put(b"picture", "png")
    assert store.sweep(set()) == 0


def test_a_sweep_takes_the_half_written_files_of_a_killed_process(store: FileStore) -> None:
    store.put(b"picture", "png")
    half = store.root / ".half-abc"
    half.write_bytes(b"pic")
    make_old(store, half.name)
    store.sweep(set())
    assert not half.exists()


def test_a_store_nobody_has_used_is_swept_without_complaint(store: FileStore) -> None:
    assert store.sweep(set()) == 0


# A limit on file size stands in for a full disk: the kernel refuses the write the same way, half-way through.
FULL_DISK = """
import resource
import sys
from pathlib import Path
from app.outside.files import FileStore, StoreFull
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
store = FileStore(Path(sys.argv[1]))
try:
    store.put(bytes(range(256)) * 4096, "png")
except StoreFull:
    print("full")
"""


def test_a_full_disk_says_so_and_leaves_no_half_file(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert run.stdout.strip() == "full"
    assert list(tmp_path.iterdir()) == []


def test_another_outage_of_the_disk_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(FileExistsError) as raised:
        FileStore(tmp_path / "images").put(b"picture", "png")
    assert not isinstance(raised.value, StoreFull)
