"""How gunicorn serves Huozi: `gunicorn -c gunicorn.conf.py wsgi:app`. Reads the same settings as the application."""

import gc
import logging
import os
import re
import sys
from typing import Any

from flask import Flask

from app.settings import SettingsError, load_from_process
from app.web.warm import warm

try:
    _settings = load_from_process()
except SettingsError as wrong:
    sys.exit(f"huozi: {wrong}")

bind = f"[{_settings.bind}]:{_settings.port}" if ":" in _settings.bind else f"{_settings.bind}:{_settings.port}"
workers = _settings.workers
worker_class = "gthread"
threads = _settings.threads
http_parser = "auto"  # gunicorn_h1c, the parser in C, wherever it is installed; requirements.txt asks for it

# The application, its templates and texts and the place database are loaded once and shared by all workers.
preload_app = True


def when_ready(server: Any) -> None:
    """Nobody's first page waits for its templates to be compiled.

    What was loaded stays for good: out of sight of the garbage collector it is not walked through again and again
    (150 ms each time, in the middle of somebody's scan), and workers go on sharing its memory. A page of thousands of
    rows is no reason to look for garbage ten times while it is made."""
    app = server.app.wsgi()
    if isinstance(app, Flask):  # a benchmark serves less
        warm(app)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# Phones and proxies keep their connection; two seconds would make most second requests pay for a new one.
keepalive = 30
# A worker that hangs longer than this is replaced; uploads are read by threads and do not count.
timeout = 60
graceful_timeout = 20

# Heartbeat files on a disk can stall a worker for seconds.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The application writes one JSON line a request itself, without addresses.
accesslog = None
errorlog = "-"
loglevel = "warning"


class _WithoutAddresses(logging.Filter):
    """gunicorn names who sent a request it cannot read, which may be anybody who scans."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = re.sub(r"(request from) ip=\S*: ", r"\1 somebody: ", str(record.msg))
        return True


logging.getLogger("gunicorn.error").addFilter(_WithoutAddresses())

# We believe forwarded headers only from HUOZI_TRUSTED_PROXIES, and read them ourselves.
forwarded_allow_ips = ""
control_socket_disable = True
