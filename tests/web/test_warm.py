"""What is done before there is a reader, so that the first one does not wait for it."""

from typing import Any

from app.web import i18n
from app.web.warm import warm


def test_the_first_page_compiles_no_template_and_reads_no_catalogue(make_app: Any) -> None:
    app = make_app()
    warm(app)
    templates, texts = len(app.jinja_env.cache), i18n.translations.cache_info().misses
    for language in ("zh", "en"):
        assert app.test_client().get(f"/login?lang={language}").status_code == 200
    assert len(app.jinja_env.cache) == templates >= 100
    assert i18n.translations.cache_info().misses == texts
