"""Pictures as foreigners hand them in: opened by content, bounded before a pixel is read, stripped of all but pixels.

This room decides what is a picture and cuts pieces out of it; what the picture says is `qr_read`'s business, and where
pieces are kept is `files`'. Nothing of the upload but its pixels leaves this room: no EXIF, no profile, no comment.

One picture is decoded at a time per process (`DECODING`): at the limits below a decode takes about 200 MB.
"""

import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from math import dist
from typing import Literal

from PIL import Image, ImageOps, ImageStat

from app.outside import heic

MAX_BYTES = 15 * 1024 * 1024
MAX_PIXELS = 25_000_000
MAX_JPEG_PIXELS = 50_000_000
MAX_SIDE = 12_000
# Every scan of a progressive JPEG is a pass over all its coefficients, so a small file can ask for hours. Cameras and
# encoders use up to 12; a thumbnail and the second picture of a multi-picture file may each bring their own.
MAX_JPEG_SCANS = 40

CARD_SIDE = 480
CARD_BYTES = 40_000
CUT_SIDE = 480
COVER_SIDE = 960  # twice as wide as the page's own column
COVER_BYTES = 120_000

# Upload and reading both hold it; a thread that has it may take it again.
DECODING = threading.RLock()

# Our own limits come first; these are the second wall, for sizes a file changes its mind about while it is opened.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS

RefusalCode = Literal["not_an_image", "image_too_large", "image_too_many_pixels", "image_broken"]
Point = tuple[float, float]
# Top left, top right, bottom right, bottom left as the code itself stands, whichever way the picture is turned.
Corners = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class ImageRefusal:
    """Why the bytes are not taken. `detail` says what was seen instead ("pdf", "30000x20000"), never more than that."""

    code: RefusalCode
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """An upright RGB picture on white, without metadata. `format` is what the content was."""

    picture: Image.Image
    format: str


def open_upload(data: bytes) -> Upload | ImageRefusal:
    """Decode an upload of JPEG, PNG, WebP, HEIC, GIF or BMP (first frame of an animated one). Takes 15-300 ms."""
    if len(data) > MAX_BYTES:
        return ImageRefusal("image_too_large", str(len(data)))
    form = _format_of(data)
    if form is None:
        return ImageRefusal("not_an_image", _what_instead(data))
    if form == "JPEG" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        return ImageRefusal("image_broken", "scans")
    with DECODING, warnings.catch_warnings():
        # Decoders warn about what they can live with (a corrupt EXIF block), and about sizes they should not.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _decode(data, form)
        except heic.TooLarge as error:
            return ImageRefusal("image_too_many_pixels", str(error))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return ImageRefusal("image_too_many_pixels", "")
        # A dozen decoders written in C meet bytes made by strangers; whatever they raise means the file is broken.
        except Exception as error:
            return ImageRefusal("image_broken", type(error).__name__)


def card_cut(upload: Upload, corners: Corners) -> bytes:
    """The card around a code, upright: avatar and name above, date line below. JPEG of at most 480 px and 40 KB.

    Shows a person's picture and name: for the panel alone.
    """
    left, top, right, bottom = -0.35, -0.62, 1.35, 1.43
    side = CARD_SIDE / max(right - left, bottom - top)
    size = (round((right - left) * side), round((bottom - top) * side))
    card = straightened(upload.picture, corners, size, side, (-left * side, -top * side))
    for quality in (82, 70, 55, 40, 25):
        data = _jpeg(card, quality)
        if len(data) <= CARD_BYTES:
            return data
    return _jpeg(card.resize((size[0] // 2, size[1] // 2)), 50)


def rectified_cut(upload: Upload, corners: Corners, *, modules: int = 41, inverted: bool = False) -> bytes:
    """The code itself, upright and square, as it looked, within four modules of white. PNG, at least 480 px wide."""
    scale = -(-CUT_SIDE // (modules + 8))
    side, border = modules * scale, 4 * scale
    code = straightened(upload.picture, corners, (side, side), side, (0, 0))
    if inverted:
        code = ImageOps.invert(code)
    # 64 colours keep an avatar recognisable at a quarter of the bytes. Median cut looks a little better, at 70 times
    # the milliseconds.
    framed = ImageOps.expand(code, border, "white").quantize(64, method=Image.Quantize.FASTOCTREE)
    out = BytesIO()
    framed.save(out, "PNG")
    return out.getvalue()


def cover_picture(upload: Upload) -> bytes:
    """A picture for the head of a landing page: JPEG of at most 960 px a side and 120 KB, encoded anew; a phone loads
    it beside the code that somebody waits for."""
    cover = upload.picture.copy()
    cover.thumbnail((COVER_SIDE, COVER_SIDE))
    for quality in (80, 65, 50):
        data = _jpeg(cover, quality)
        if len(data) <= COVER_BYTES:
            return data
    return _jpeg(cover.reduce(2), 50)


def straightened(
    picture: Image.Image, corners: Corners, size: tuple[int, int], side: float, origin: Point
) -> Image.Image:
    """The plane of a code seen from above: `side` px wide, its top left at `origin` of a new picture of `size`."""
    corners_out = ((0, 0), (size[0], 0), (size[0], size[1]), (0, size[1]))
    across = _from_square(corners)
    frame = [_project(across, (x - origin[0]) / side, (y - origin[1]) / side) for x, y in corners_out]
    box = _box_around(frame, picture.size)
    shrink = max(1, int(_longest_edge(corners) / side))
    part = picture.crop(box)
    # The transform looks at four pixels whatever it shrinks by; halving first is what keeps small text legible.
    part = part.reduce(shrink) if shrink > 1 else part
    a, b, c, d, e, f, g, h = _from_square([((x - box[0]) / shrink, (y - box[1]) / shrink) for x, y in corners])
    u, v = origin[0] / side, origin[1] / side
    # x' = x / side - u, y' = y / side - v, put into the projection and divided so that its last term is 1 again.
    last = 1 - g * u - h * v
    terms = (a / side, b / side, c - a * u - b * v, d / side, e / side, f - d * u - e * v, g / side, h / side)
    data = tuple(term / last for term in terms)
    return part.transform(size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC, fillcolor="#f2f2f2")


def is_inverted(picture: Image.Image, corners: Corners, modules: int) -> bool:
    """Light on dark? Compares the outer ring of the finder pattern at the top left with the ring inside it."""
    grey, across = picture.convert("L"), _from_square(corners)
    outer = sum(_brightness(grey, across, (i + 0.5) / modules, 0.5 / modules) for i in (1, 3, 5))
    inner = sum(_brightness(grey, across, (i + 0.5) / modules, 1.5 / modules) for i in (2, 3, 4))
    return outer > inner


def _format_of(data: bytes) -> str | None:
    """By the first bytes; names and declared types are never asked."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[4:12] in _HEIC_BRANDS:
        return "HEIF"
    # "BM" alone is the beginning of many a text; the header's length and its one plane tell a bitmap.
    if data[:2] == b"BM" and data[14:18] in _BMP_HEADERS and data[26:28] == b"\x01\x00":
        return "BMP"
    return None


_HEIC_BRANDS = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")}
_BMP_HEADERS = {size.to_bytes(4, "little") for size in (40, 52, 56, 64, 108, 124)}

_OTHERS = (
    (b"%PDF", "pdf"),
    (b"MZ", "executable"),
    (b"\x7fELF", "executable"),
    (b"#!", "script"),
    (b"PK\x03\x04", "zip"),
    (b"Rar!", "rar"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"8BPS", "psd"),
)


def _what_instead(data: bytes) -> str:
    """One word for the message: most people who send something else sent it by mistake."""
    head = data[:512]
    if not head:
        return "empty"
    if head[4:8] == b"ftyp":
        return "avif" if head[8:12] in (b"avif", b"avis") else "video"
    for start, name in _OTHERS:
        if head.startswith(start):
            return name
    lowered = head.lower()
    if b"<svg" in lowered:
        return "svg"
    return "html" if b"<html" in lowered or b"<!doctype" in lowered else "unknown"


def _decode(data: bytes, form: str) -> Upload | ImageRefusal:
    if form == "HEIF":
        return Upload(_on_white(heic.decode(data, max_pixels=MAX_PIXELS, max_side=MAX_SIDE)), form)
    with Image.open(BytesIO(data), formats=[form]) as opened:
        width, height = opened.size
        most = MAX_JPEG_PIXELS if form == "JPEG" else MAX_PIXELS
        if max(width, height) > MAX_SIDE or width * height > most:
            return ImageRefusal("image_too_many_pixels", f"{width}x{height}")
        if width * height > MAX_PIXELS:
            opened.draft("RGB", (width // 2, height // 2))
        opened.load()
        _turn_upright(opened)
        return Upload(_on_white(opened), form)


def _turn_upright(picture: Image.Image) -> None:
    # A damaged EXIF block costs the turn, not the picture: codes are read in any position.
    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)


def _on_white(picture: Image.Image) -> Image.Image:
    """A new picture that shares nothing with the old one but its pixels."""
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    plain = Image.new("RGB", picture.size, "white")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        plain.paste(picture, mask=picture.getchannel("A"))
    else:
        plain.paste(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return plain


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Sixteen-bit grey, whose plain conversion cuts everything above 255 to white."""
    return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _from_square(corners: Sequence[Point]) -> tuple[float, ...]:
    """Coefficients a-h that take the unit square to the corners: x = (au + bv + c) / (gu + hv + 1), y likewise.

    The closed form of Heckbert, "Fundamentals of Texture Mapping", 1989, section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    if abs(area) < 1e-9:
        raise ValueError("the corners lie on one line")
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    return (x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h)


def _project(across: Sequence[float], u: float, v: float) -> Point:
    a, b, c, d, e, f, g, h = across
    depth = g * u + h * v + 1
    # Behind the vanishing line there is nothing to see; a far point keeps the frame finite.
    depth = depth if depth > 0.05 else 0.05
    return (a * u + b * v + c) / depth, (d * u + e * v + f) / depth


def _box_around(points: Sequence[Point], size: tuple[int, int]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, top = max(0, int(min(xs)) - 2), max(0, int(min(ys)) - 2)
    return (
        min(left, size[0] - 1),
        min(top, size[1] - 1),
        max(left + 1, min(size[0], int(max(xs)) + 3)),
        max(top + 1, min(size[1], int(max(ys)) + 3)),
    )


def _longest_edge(corners: Sequence[Point]) -> float:
    edges = zip(corners, [*corners[1:], corners[0]], strict=True)
    return max(dist(here, there) for here, there in edges)


def _brightness(grey: Image.Image, across: Sequence[float], u: float, v: float) -> float:
    x, y = _project(across, u, v)
    at = (min(max(int(x), 0), grey.width - 1), min(max(int(y), 0), grey.height - 1))
    return ImageStat.Stat(grey.crop((*at, at[0] + 1, at[1] + 1))).mean[0]


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
