import ipaddress
import re
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from app import settings
from app.settings import ROOT, Settings, SettingsError, load, parse_env_file

PRODUCTION = {
    "HUOZI_ENV": "production",
    "HUOZI_SECRET_KEY": "k" * 32,
    "HUOZI_PUBLIC_URL": "https://qr.shop.cn",
}


@pytest.fixture
def development(tmp_path: Path) -> dict[str, str]:
    return {"HUOZI_DATA_DIR": str(tmp_path / "data")}


def refusal(environ: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_empty_environment_serves_development_from_sqlite(development: dict[str, str], tmp_path: Path) -> None:
    found = load(development)

    assert found.env == "development"
    assert found.database_url == f"sqlite:///{tmp_path / 'data' / 'huozi.db'}"
    assert (found.redis_url, found.port, found.bind) == ("", 8000, "127.0.0.1")
    assert (found.timezone, found.language) == ("Asia/Shanghai", "zh")
    assert found.trusted_proxies == ()
    assert found.geoip_db is None and found.geoip_fill_db is None


def test_the_data_directory_is_instance_unless_told() -> None:
    assert load({"HUOZI_SECRET_KEY": "x"}).data_dir == ROOT / "instance"


def test_a_relative_data_directory_counts_from_the_checkout() -> None:
    assert load({"HUOZI_SECRET_KEY": "x", "HUOZI_DATA_DIR": "elsewhere"}).data_dir == ROOT / "elsewhere"


def test_settings_cannot_be_changed_once_read(development: dict[str, str]) -> None:
    with pytest.raises(AttributeError):
        load(development).port = 1  # type: ignore[misc]


def test_development_keeps_the_secret_key_it_made(development: dict[str, str], tmp_path: Path) -> None:
    first = load(development).secret_key

    assert len(first) >= 43
    assert load(development).secret_key == first
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600


def test_processes_starting_together_share_one_secret_key(development: dict[str, str]) -> None:
    keys: list[str] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        keys.append(load(development).secret_key)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8 and len(set(keys)) == 1


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert "HUOZI_DATA_DIR" in refusal({"HUOZI_DATA_DIR": str(tmp_path / "file")})


def test_an_empty_key_file_is_refused(development: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text("")
    assert "is empty" in refusal(development)


def test_nothing_is_written_for_an_environment_that_is_refused(development: dict[str, str], tmp_path: Path) -> None:
    refusal({**development, "HUOZI_TIMEZONE": "Mars/Olympus"})
    assert not (tmp_path / "data").exists()


def test_production_starts_with_a_secret_and_a_public_url() -> None:
    found = load(PRODUCTION)
    assert found.is_production and found.is_https and found.secret_key == "k" * 32


@pytest.mark.parametrize("missing", ["HUOZI_SECRET_KEY", "HUOZI_PUBLIC_URL"])
def test_production_refuses_to_start_without(missing: str) -> None:
    assert missing in refusal({name: value for name, value in PRODUCTION.items() if name != missing})


def test_production_refuses_a_short_secret() -> None:
    assert "too short" in refusal({**PRODUCTION, "HUOZI_SECRET_KEY": "secret"})


@pytest.mark.parametrize("name", settings.SECRETS)
def test_a_secret_may_come_from_a_file(name: str, development: dict[str, str], tmp_path: Path) -> None:
    value = {
        "HUOZI_DATABASE_URL": "postgresql+psycopg://u:p@db/huozi",
        "HUOZI_METRICS_TOKEN": "for the watch",
        "HUOZI_REDIS_URL": "redis://cache:6379/0",
        "HUOZI_SECRET_KEY": "from a file",
    }[name]
    (tmp_path / "secret").write_text(value + "\n")

    found = load({**development, f"{name}_FILE": str(tmp_path / "secret")})

    assert getattr(found, name.removeprefix("HUOZI_").lower()) == value


def test_a_secret_given_twice_is_refused(development: dict[str, str]) -> None:
    assert "keep one" in refusal({**development, "HUOZI_SECRET_KEY": "a", "HUOZI_SECRET_KEY_FILE": "/b"})


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot be read"), (b"", "is empty"), (b"\xff\xfe", "not UTF-8")]
)
def test_a_secret_file_that_says_nothing_is_refused(content: bytes | None, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    message = refusal({"HUOZI_SECRET_KEY_FILE": str(file)})
    assert "HUOZI_SECRET_KEY_FILE" in message and reason in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUOZI_ENV", "prod"),
        ("HUOZI_LANGUAGE", "fr"),
        ("HUOZI_BIND", "localhost"),
        ("HUOZI_TIMEZONE", "Mars/Olympus"),
        ("HUOZI_TIMEZONE", "../../etc/passwd"),
        ("HUOZI_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HUOZI_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HUOZI_TRUSTED_PROXIES", "127.0.0.1/32, proxy"),
        ("HUOZI_PUBLIC_URL", "qr.example.com"),
        ("HUOZI_PUBLIC_URL", "ftp://qr.example.com"),
        ("HUOZI_PUBLIC_URL", "https://"),
        ("HUOZI_PUBLIC_URL", "https://qr.example.com/path"),
        ("HUOZI_PUBLIC_URL", "https://qr.example.com?x=1"),
        ("HUOZI_PUBLIC_URL", "https://user@qr.example.com"),
        ("HUOZI_PUBLIC_URL", "https://qr.example.com:port"),
        ("HUOZI_PUBLIC_URL", "https://[::1"),
        ("HUOZI_PUBLIC_URL", "https://qr example.com"),
        ("HUOZI_DATABASE_URL", "mysql://root@localhost/huozi"),
        ("HUOZI_DATABASE_URL", "sqlite://"),
        ("HUOZI_DATABASE_URL", "sqlite:///:memory:"),
        ("HUOZI_DATABASE_URL", "huozi.db"),
        ("HUOZI_DATABASE_URL", "postgresql://host:port/name"),
        ("HUOZI_REDIS_URL", "localhost:6379"),
        ("HUOZI_REDIS_URL", "http://localhost:6379"),
        ("HUOZI_WORKERS", "0"),
        ("HUOZI_THREADS", "many"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "８０"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, development: dict[str, str]) -> None:
    assert refusal({**development, name: value}).startswith(name)


def test_a_database_password_is_not_repeated_in_the_refusal(development: dict[str, str]) -> None:
    assert "hunter2" not in refusal({**development, "HUOZI_DATABASE_URL": "mysql://root:hunter2@localhost/huozi"})
    assert "hunter2" not in refusal({**development, "HUOZI_REDIS_URL": "http://:hunter2@localhost"})


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg(scheme: str, development: dict[str, str]) -> None:
    found = load({**development, "HUOZI_DATABASE_URL": f"{scheme}://u:p@db:5432/huozi"})
    assert found.database_url == "postgresql+psycopg://u:p@db:5432/huozi"


def test_a_relative_sqlite_path_becomes_absolute(development: dict[str, str]) -> None:
    assert load({**development, "HUOZI_DATABASE_URL": "sqlite:///a/b.db"}).database_url == f"sqlite:///{ROOT}/a/b.db"
    assert load({**development, "HUOZI_DATABASE_URL": "sqlite:////a/b.db"}).database_url == "sqlite:////a/b.db"


def test_blank_means_unset(development: dict[str, str]) -> None:
    assert load({**development, "HUOZI_TIMEZONE": "  ", "PORT": ""}) == load(development)


def test_trusted_proxies_are_networks(development: dict[str, str]) -> None:
    found = load({**development, "HUOZI_TRUSTED_PROXIES": "127.0.0.1/32, 10.0.0.0/8,fd00::/8"})
    assert found.trusted_proxies == tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "fd00::/8")))


def test_public_url_follows_the_port_and_loses_its_slash(development: dict[str, str]) -> None:
    assert load({**development, "PORT": "8123"}).public_url == "http://127.0.0.1:8123"
    assert load({**development, "HUOZI_PUBLIC_URL": "https://QR.shop.cn/"}).public_url == "https://qr.shop.cn"


@pytest.mark.parametrize(
    ("url", "is_test"),
    [
        ("https://qr.shop.cn", False),
        ("https://qr.shop.cn:8443", False),
        ("https://8.8.8.8", False),
        ("http://qr.shop.cn", True),
        ("https://localhost", True),
        ("https://huozi.localhost", True),
        ("https://server", True),
        ("https://huozi.lan", True),
        ("https://192.168.1.9", True),
        ("https://100.64.0.1", True),
        ("https://[::1]:8000", True),
        ("https://127.0.0.1", True),
    ],
)
def test_an_address_that_must_not_be_printed_is_known(url: str, is_test: bool, development: dict[str, str]) -> None:
    assert load({**development, "HUOZI_PUBLIC_URL": url}).public_url_is_test is is_test


def test_misspelt_names_are_noticed(development: dict[str, str]) -> None:
    assert load({**development, "HUOZI_PUBLIC_ULR": "x", "HUOZI_PORT": "1"}).unknown_names == (
        "HUOZI_PORT",
        "HUOZI_PUBLIC_ULR",
    )


def test_the_zone_is_usable(development: dict[str, str]) -> None:
    assert load({**development, "HUOZI_TIMEZONE": "Europe/Berlin"}).zone.key == "Europe/Berlin"


def test_an_env_file_is_read_line_by_line() -> None:
    assert parse_env_file("# words\n\nexport A=1\nB = 'two words' \nC=\"x=y\"\nD=\n") == {
        "A": "1",
        "B": "two words",
        "C": "x=y",
        "D": "",
    }


def test_a_broken_env_file_names_its_line() -> None:
    with pytest.raises(SettingsError, match="line 2"):
        parse_env_file("A=1\nnonsense\n")


def test_every_setting_stands_in_the_example_file() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == set(settings.NAMES)


def test_the_example_file_with_everything_uncommented_can_be_read() -> None:
    text = re.sub(r"^#(?=[A-Z_]+=)", "", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert isinstance(load({**parse_env_file(text), "HUOZI_SECRET_KEY": "x" * 32}), Settings)


def test_the_version_is_the_newest_heading_of_the_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", settings.version())
