"""What the environment says, read once into one frozen `Settings`.

Decides which variables exist, their defaults and what a wrong one looks like: a single `SettingsError` line, before
anything is started. Leaves to others what the values are used for. Standard library only, so that the server's
configuration and the tests may read it too. docs/settings.md has the same table for people.
"""

import ipaddress
import os
import secrets
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("zh", "en")
SECRET_BYTES_IN_PRODUCTION = 16

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Environment = Literal["development", "production"]

# Every variable we read; the ones that may be given as NAME_FILE because they hold a secret.
NAMES = (
    "HUOZI_ADMIN_EMAIL",
    "HUOZI_ALERT_NETWORKS",
    "HUOZI_BIND",
    "HUOZI_DATABASE_SECONDS",
    "HUOZI_DATABASE_URL",
    "HUOZI_DATA_DIR",
    "HUOZI_ENV",
    "HUOZI_GEOIP_DB",
    "HUOZI_GEOIP_FILL_DB",
    "HUOZI_LANGUAGE",
    "HUOZI_METRICS_TOKEN",
    "HUOZI_PUBLIC_URL",
    "HUOZI_REDIS_URL",
    "HUOZI_SECRET_KEY",
    "HUOZI_THREADS",
    "HUOZI_TIMEZONE",
    "HUOZI_TRUSTED_PROXIES",
    "HUOZI_WORKERS",
    "PORT",
)
SECRETS = ("HUOZI_DATABASE_URL", "HUOZI_METRICS_TOKEN", "HUOZI_REDIS_URL", "HUOZI_SECRET_KEY")


class SettingsError(Exception):
    """The environment is wrong; the message is one line that names the variable and says what it should be."""


@dataclass(frozen=True, slots=True)
class Settings:
    env: Environment
    bind: str
    port: int
    workers: int
    threads: int
    data_dir: Path
    database_url: str  # as SQLAlchemy wants it, with an absolute path if it is SQLite
    redis_url: str  # "" = no Redis, seats are kept in SQL
    secret_key: str
    public_url: str  # what the QR codes say; no trailing slash
    trusted_proxies: tuple[Network, ...]
    geoip_db: Path | None  # None = the bundled database
    geoip_fill_db: Path | None  # a second one, asked only where the first is silent
    timezone: str
    language: str
    admin_email: str  # the first administrator, made where there is none
    database_seconds: int = 15  # for one statement of a page, on PostgreSQL
    alert_networks: tuple[Network, ...] = ()  # not public, and yet messages may be sent there
    metrics_token: str = field(default="", repr=False)  # "" = /metrics answers this very machine alone
    unknown_names: tuple[str, ...] = ()  # HUOZI_* nobody reads: most likely misspelt

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def public_url_is_test(self) -> bool:
        """Would a poster printed with this address stop working (or never work) outside this room?"""
        return is_test_url(self.public_url)


def is_test_url(url: str) -> bool:
    """Is this origin without encryption, or known in this network alone?"""
    return not url.startswith("https://") or _is_local(urlsplit(url).hostname or "")


def origin_of(url: str) -> str | None:
    """An address as codes say it, such as https://qr.example.com: scheme and host alone; None for anything else."""
    parts = _split(url)
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or any(mark.isspace() for mark in url)
    ):
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}"


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`; raises SettingsError. Writes a secret key into the data directory the first time a
    development environment needs one; reads nothing else but the `*_FILE`s it is pointed to."""
    read = _Reader(environ)
    env = _environment(read)
    port = read.number("PORT", 8000, 1, 65535)
    data_dir = read.path("HUOZI_DATA_DIR") or ROOT / "instance"
    return Settings(
        env=env,
        bind=_bind(read),
        port=port,
        workers=read.number("HUOZI_WORKERS", 2, 1, 64),
        threads=read.number("HUOZI_THREADS", 16, 1, 256),
        data_dir=data_dir,
        database_url=_database_url(read, data_dir),
        database_seconds=read.number("HUOZI_DATABASE_SECONDS", 15, 1, 600),
        redis_url=_redis_url(read),
        public_url=_public_url(read, env, port),
        trusted_proxies=_networks(read, "HUOZI_TRUSTED_PROXIES"),
        alert_networks=_networks(read, "HUOZI_ALERT_NETWORKS"),
        metrics_token=read.text("HUOZI_METRICS_TOKEN"),
        geoip_db=read.path("HUOZI_GEOIP_DB"),
        geoip_fill_db=read.path("HUOZI_GEOIP_FILL_DB"),
        timezone=_timezone(read),
        language=read.choice("HUOZI_LANGUAGE", LANGUAGES),
        admin_email=read.text("HUOZI_ADMIN_EMAIL", "admin@localhost"),
        unknown_names=_unknown(environ),
        secret_key=_secret_key(read, env, data_dir),  # last: nothing is written for an environment that is refused
    )


def load_from_process() -> Settings:
    """`load` of this process's environment, over the checkout's `.env` where there is one."""
    file = ROOT / ".env"
    return load({**(parse_env_file(file.read_text(encoding="utf-8")) if file.is_file() else {}), **os.environ})


def parse_env_file(text: str) -> dict[str, str]:
    """`NAME=value` lines. Blank lines and `#` comments are passed over; one pair of quotes around a value comes off."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.isidentifier():
            raise SettingsError(f".env line {number} is not NAME=value")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name] = value
    return found


def version() -> str:
    """The newest heading of CHANGELOG.md, such as "0.1.0"."""
    for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## ["):
            return line[len("## [") : line.index("]")]
    raise SettingsError("CHANGELOG.md has no version heading")


class _Reader:
    """One environment, with the manners every variable shares: stripped, empty means unset, `*_FILE` for secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str = "") -> str:
        value = self._environ.get(name, "").strip()
        file = self._environ.get(f"{name}_FILE", "").strip() if name in SECRETS else ""
        if value and file:
            raise SettingsError(f"{name} and {name}_FILE are both set; keep one")
        if file:
            value = _read_secret(name, file)
        return value or default

    def path(self, name: str) -> Path | None:
        """A relative path counts from the checkout, so that every command means the same place."""
        value = self.text(name)
        return (ROOT / Path(value).expanduser()).resolve() if value else None

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and lowest <= int(value) <= highest):
            raise SettingsError(f"{name} must be a number from {lowest} to {highest}, not {value!r}")
        return int(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`, the first of which is the default."""
        value = self.text(name, allowed[0])
        if value not in allowed:
            raise SettingsError(f"{name} must be {' or '.join(allowed)}, not {value!r}")
        return value


def _read_secret(name: str, file: str) -> str:
    try:
        value = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE: {file} cannot be read ({_why(error)})") from None
    if not value:
        raise SettingsError(f"{name}_FILE: {file} is empty")
    return value


def _why(error: Exception) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else "not UTF-8 text"


def _environment(read: _Reader) -> Environment:
    return "production" if read.choice("HUOZI_ENV", ("development", "production")) == "production" else "development"


def _bind(read: _Reader) -> str:
    value = read.text("HUOZI_BIND", "127.0.0.1")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise SettingsError(f"HUOZI_BIND must be an address such as 127.0.0.1 or 0.0.0.0, not {value!r}") from None


def _database_url(read: _Reader, data_dir: Path) -> str:
    url = read.text("HUOZI_DATABASE_URL")
    if not url:
        return f"sqlite:///{data_dir / 'huozi.db'}"
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and rest.strip("/") and ":memory:" not in rest:
        return f"sqlite:///{(ROOT / rest[1:]).resolve()}"
    if separator and scheme in ("postgresql", "postgres", "postgresql+psycopg") and _split(url):
        return f"postgresql+psycopg://{rest}"
    raise SettingsError(
        "HUOZI_DATABASE_URL must look like sqlite:////path/huozi.db or postgresql://user:password@host/name"
    )


def _redis_url(read: _Reader) -> str:
    url = read.text("HUOZI_REDIS_URL")
    scheme, separator, rest = url.partition("://")
    hosts, _, _ = rest.partition("/")
    known = scheme in ("redis", "rediss", "unix", "redis+sentinel")
    if url and not (separator and rest and known and all(_split(f"x://{host}") for host in hosts.split(","))):
        raise SettingsError(
            "HUOZI_REDIS_URL must look like redis://host:6379/0 (or rediss://, unix://, several hosts of a Cluster "
            "separated by commas, redis+sentinel://host:26379,host:26379/master), or be empty"
        )
    return url


def _public_url(read: _Reader, env: Environment, port: int) -> str:
    url = read.text("HUOZI_PUBLIC_URL")
    if not url and env == "production":
        raise SettingsError("HUOZI_PUBLIC_URL must be set in production: it is what the printed QR codes say")
    origin = origin_of(url or f"http://127.0.0.1:{port}")
    if origin is None:
        raise SettingsError(f"HUOZI_PUBLIC_URL must look like https://qr.example.com, without a path, not {url!r}")
    return origin


def _split(url: str) -> SplitResult | None:
    """The URL's parts, or None where the standard library finds it (or its port) malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rpartition(".")[2]
        return "." not in host or last in ("localhost", "local", "lan", "internal", "test", "example", "invalid")


def _networks(read: _Reader, name: str) -> tuple[Network, ...]:
    found = []
    for text in read.text(name).replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise SettingsError(
                f"{name} must list networks such as 10.0.0.0/8, separated by commas; {text!r} is none"
            ) from None
    return tuple(found)


def _timezone(read: _Reader) -> str:
    name = read.text("HUOZI_TIMEZONE", "Asia/Shanghai")
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"HUOZI_TIMEZONE must be a name such as Asia/Shanghai; {name!r} is not known") from None
    return name


def _secret_key(read: _Reader, env: Environment, data_dir: Path) -> str:
    key = read.text("HUOZI_SECRET_KEY")
    if env == "production" and not key:
        raise SettingsError("HUOZI_SECRET_KEY (or HUOZI_SECRET_KEY_FILE) must be set in production")
    if env == "production" and len(key.encode()) < SECRET_BYTES_IN_PRODUCTION:
        raise SettingsError(
            f"HUOZI_SECRET_KEY is too short for production: {SECRET_BYTES_IN_PRODUCTION} bytes at least"
        )
    return key or _development_key(data_dir)


def _development_key(data_dir: Path) -> str:
    """The data directory's own key, made the first time. Written whole under another name and linked into place, so
    that of two processes starting together both end with the same key."""
    file, draft = data_dir / "secret_key", data_dir / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if not file.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(48))
            try:
                os.link(draft, file)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"HUOZI_DATA_DIR: no secret key can be kept in {data_dir} ({_why(error)})") from None
    if not key:
        raise SettingsError(f"HUOZI_DATA_DIR: {file} is empty; remove it to have a new key made")
    return key


def _unknown(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = {*NAMES, *(f"{name}_FILE" for name in SECRETS)}
    return tuple(sorted(name for name in environ if name.startswith("HUOZI_") and name not in known))
