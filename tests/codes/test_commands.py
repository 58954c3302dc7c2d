"""`files sweep`: what nobody names goes, what somebody names stays."""

import os
import time
from pathlib import Path

import pytest
from flask import Flask

from app.settings import Settings
from tests import pictures
from tests.codes.conftest import Api, told


def sweep(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["files", "sweep", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def kept(settings: Settings) -> list[Path]:
    return sorted(file for folder in ("images", "cards") for file in (settings.data_dir / folder).iterdir())


def test_pictures_of_a_refused_upload_are_swept_and_those_in_use_stay(app: Flask, api: Api, settings: Settings) -> None:
    path = f"/live-codes/{api.live_code()['id']}/members"
    told(api.send(path, pictures.encoded(pictures.screen())), 201)
    in_use = kept(settings)
    assert len(in_use) == 3
    told(api.send(path, pictures.encoded(pictures.screen(title="renamed"))), 409)
    assert len(kept(settings)) > len(in_use)
    assert sweep(app).startswith("0 pictures"), "an upload of this minute is spared"
    then = time.time() - 7200
    for file in kept(settings):
        os.utime(file, (then, then))
    sweep(app)
    assert kept(settings) == in_use


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sweeping_where_nothing_is_stored_is_harmless(app: Flask) -> None:
    assert sweep(app) == "0 pictures were deleted, 0 are in use.\n"
