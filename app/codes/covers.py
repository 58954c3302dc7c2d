"""Pictures for the head of a landing page: encoded anew, kept under their hash, where scanners load them from."""

from app.codes.changes import Refused
from app.codes.uploads import Shelves
from app.outside import images
from app.outside.files import is_name


def cover_of(shelves: Shelves, data: bytes) -> str | Refused:
    """The name under which the picture is kept; nothing of the file but its pixels. Raises `files.StoreFull`."""
    upload = images.open_upload(data)
    if isinstance(upload, images.ImageRefusal):
        return Refused(upload.code, {"cover": upload.code}, {"seen": upload.detail})
    return shelves.images.put(images.cover_picture(upload), "jpg")


def is_stored(shelves: Shelves, name: str) -> bool:
    """Is there such a picture, put a moment ago by an upload whose form was not saved yet?"""
    return is_name(name) and shelves.images.path(name).is_file()
