"""The bench that holds every page of the panel to its milliseconds knows every page of the panel."""

from collections import defaultdict

import pytest
from flask import Flask

from bench.panel_pages import LANGUAGES, filled, left_out

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_no_page_of_the_panel_goes_unmeasured(app: Flask) -> None:
    pages = filled(defaultdict(lambda: 1))
    assert left_out(app, pages) == []
    assert LANGUAGES == ("zh", "en")


def test_a_page_that_is_not_measured_is_named(app: Flask) -> None:
    pages = [page for page in filled(defaultdict(lambda: 1)) if page not in ("/audit", "/audit?page=500")]
    assert left_out(app, pages) == ["/audit"]
