"""The servers' entry: `gunicorn -c gunicorn.conf.py wsgi:app`, `flask --app wsgi …`. Opens no connection on import."""

import sys

from app import create_app
from app.settings import SettingsError

try:
    app = create_app()
    app.wsgi_app = app.extensions["huozi"].serving(app.wsgi_app)  # type: ignore[method-assign]
except SettingsError as wrong:
    # One clear line, no trace: this is for the person who wrote the environment.
    sys.exit(f"huozi: {wrong}")
