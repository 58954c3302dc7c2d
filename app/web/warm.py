"""What the first reader in a process would wait for, done before there is one: templates compiled, texts read.

A quarter of a second of the first page: `gunicorn.conf.py` has the process spend it that its workers are forked from,
and they share what comes of it. Whoever serves otherwise pays for each template when it is first shown.
"""

from flask import Flask

from app.web import i18n


def warm(app: Flask) -> None:
    for locale in i18n.LOCALES.values():
        i18n.translations(locale)
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
