"""Codes written by us: a member's, drawn anew from its link, and the permanent one, as PNG, SVG or PDF.

This room decides how a code is drawn and proves that it reads; which address it says and what stands around it is the
caller's. Nothing is handed out that has not been decoded from its own bytes, at full size and shrunk like a bad photo.
"""

import re
import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby
from typing import Literal
from xml.etree import ElementTree

import pypdfium2
import qrcode
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from app.outside.qr_read import payloads
from app.rules.kinds import BadTarget, classify

Format = Literal["png", "svg", "pdf"]

TEST_LINE = "测试码 勿印刷"
QUIET_MODULES = 4
MEMBER_SIDE = 480
# Under 3 px or 0.5 mm a module phones begin to fail. The upper ends are a wall poster and what fits into memory.
MIN_MODULE_PX, DEFAULT_MODULE_PX, MAX_PX = 3, 10, 5000
MIN_MODULE_MM, DEFAULT_MM, MAX_MM = 0.5, 80, 2000


class CodeUnreadable(Exception):
    """A drawn code does not say what it should. A bug or a broken library: nothing was handed out."""


def draw_member(payload: str) -> bytes | None:
    """A member's code drawn anew, byte for byte the same payload: PNG of at least 480 px, about 1 KB.

    None where the payload is no link in ASCII, or the drawing does not read; show the cut of the upload then.
    """
    if not payload.isascii() or isinstance(classify(payload), BadTarget):
        return None
    symbol = _symbol(payload, qrcode.ERROR_CORRECT_M)
    module = max(MIN_MODULE_PX, -(-MEMBER_SIDE // len(symbol.rows)))
    data = _png(_drawn(symbol, module))
    with Image.open(BytesIO(data)) as drawn:
        return data if payloads(drawn) == [payload.encode("ascii")] else None


def size_bounds(url: str, format: Format) -> tuple[int, int]:
    """The smallest and the largest width of a permanent code: px of a PNG, mm of an SVG or a PDF."""
    width = len(_permanent(url).rows)
    return (width * MIN_MODULE_PX, MAX_PX) if format == "png" else (_up(width * MIN_MODULE_MM), MAX_MM)


def permanent_code(
    url: str,
    *,
    format: Format,
    size: int | None = None,
    title: str | None = None,
    caption: str | None = None,
    test: bool = False,
) -> bytes:
    """The code to print: dark on white, quiet zone 4, level Q. Takes 40-150 ms.

    `size` is the width in px (PNG) or mm (SVG, PDF), within `size_bounds`, else ValueError. A title stands above the
    code and a caption below it; `test` adds 「测试码 勿印刷」. Characters our font does not have are left out.
    Raises CodeUnreadable rather than giving out a file that does not decode to the url.
    """
    least, most = size_bounds(url, format)
    if size is not None and not least <= size <= most:
        raise ValueError(f"size must be {least} to {most}")
    sheet = _laid_out(_permanent(url), title, caption, test)
    if format == "png":
        data = _sheet_png(sheet, size or sheet.width * DEFAULT_MODULE_PX)
        prove_png(data, url)
    elif format == "svg":
        data = _sheet_svg(sheet, size or DEFAULT_MM, url)
        prove_svg(data, url)
    else:
        data = _sheet_pdf(sheet, size or DEFAULT_MM, title or url)
        prove_pdf(data, url)
    return data


def prove_png(data: bytes, url: str) -> None:
    """Raises CodeUnreadable unless the picture reads as the url and as nothing else."""
    with Image.open(BytesIO(data)) as picture:
        _prove(picture.convert("L"), url)


def prove_svg(data: bytes, url: str) -> None:
    """As `prove_png`, for the path in an SVG of ours, filled as it is written there (its text is left out)."""
    root = ElementTree.fromstring(data)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    picture = Image.new("L", (round(width * 8), round(height * 8)), 255)
    draw = ImageDraw.Draw(picture)
    for path in root.iter(f"{_SVG}path"):
        rest = _RUN.sub("", path.attrib["d"])
        if rest:
            raise CodeUnreadable("the path holds more than runs of modules")
        for run in _RUN.finditer(path.attrib["d"]):
            x, y, length = (float(number) * 8 for number in run.groups())
            draw.rectangle((x, y, x + length - 1, y + 7), fill=0)
    _prove(picture, url)


def prove_pdf(data: bytes, url: str) -> None:
    """As `prove_png`, for the first page of a PDF as a viewer shows it."""
    with _PRINTING:
        document = pypdfium2.PdfDocument(data)
        try:
            page = document[0]
            scale = 8 * len(_permanent(url).rows) / page.get_width()
            picture = page.render(scale=scale, grayscale=True).to_pil().convert("L")
        finally:
            document.close()
    _prove(picture, url)


@dataclass(frozen=True, slots=True)
class _Symbol:
    """Rows of modules, true for dark, with the quiet zone around them."""

    rows: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text, centred. `size` and `baseline` count in modules, the baseline from the top of the sheet."""

    text: str
    size: float
    baseline: float


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A code and its lines, measured in modules; the same for pixels, millimetres and points."""

    symbol: _Symbol
    top: float
    height: float
    lines: tuple[_Line, ...]

    @property
    def width(self) -> int:
        return len(self.symbol.rows)


# reportlab's fonts and PDFium keep state of their own and are used by one thread at a time.
_PRINTING = threading.Lock()
_SVG = "{http://www.w3.org/2000/svg}"
_RUN = re.compile(r"M(\d+(?:\.\d+)?) (\d+(?:\.\d+)?)h(\d+)v1h-\d+z")
_FONT_NAME = "HuoziSans"
_FONT_FAMILY = "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','WenQuanYi Micro Hei',sans-serif"
_MAX_TITLE = 120


def _up(number: float) -> int:
    return -int(-number // 1)


def _permanent(url: str) -> _Symbol:
    if not url.isascii() or isinstance(classify(url), BadTarget):
        raise ValueError("a permanent code says an http(s) address in ASCII")
    return _symbol(url, qrcode.ERROR_CORRECT_Q)


@lru_cache(maxsize=64)
def _symbol(text: str, level: int) -> _Symbol:
    code = qrcode.QRCode(error_correction=level, border=QUIET_MODULES)
    # No splitting into modes: one segment is what every reader gives back byte for byte.
    code.add_data(text.encode("ascii"), optimize=0)
    return _Symbol(tuple(tuple(row) for row in code.get_matrix()))


def _laid_out(symbol: _Symbol, title: str | None, caption: str | None, test: bool) -> _Sheet:
    """Text lies outside the quiet zone, on white of its own."""
    width, lines = len(symbol.rows), []
    shown = _printable(title or "")
    top = 4.0 if shown else 0.0
    if shown:
        lines.append(_fitted(shown, 2.6, width - 4, 3.4))
    height = top + width
    for text, size in ((_printable(caption or ""), 2.2), (TEST_LINE if test else "", 2.8)):
        if text:
            lines.append(_fitted(text, size, width - 4, height + size))
            height += size + 1.2
    return _Sheet(symbol, top, height + (1 if caption or test else 0), tuple(lines))


def _fitted(text: str, size: float, width: float, baseline: float) -> _Line:
    """Shrunk to three fifths if need be, then shortened."""
    smallest = size * 0.6
    natural = _length(text, size)
    if natural <= width:
        return _Line(text, size, baseline)
    if natural * 0.6 <= width:
        return _Line(text, size * width / natural, baseline)
    while _length(text + "…", smallest) > width:
        text = text[:-1]
    return _Line(text + "…", smallest, baseline)


def _printable(text: str) -> str:
    """What the font can draw: no control characters, no marks that turn the direction of writing, no emoji."""
    known = _pdf_font().face.charToGlyph
    letters = (letter if letter.isprintable() else " " if letter.isspace() else "" for letter in text[: 4 * _MAX_TITLE])
    kept = "".join(letter for letter in letters if letter == " " or (letter and ord(letter) in known))
    return " ".join(kept.split())[:_MAX_TITLE]


def _length(text: str, size: float) -> float:
    return _font(100).getlength(text) * size / 100


def _drawn(symbol: _Symbol, module: int) -> Image.Image:
    width = len(symbol.rows)
    small = Image.frombytes("L", (width, width), bytes(0 if dark else 255 for row in symbol.rows for dark in row))
    return small.resize((width * module, width * module), Image.Resampling.NEAREST).convert("1")


def _sheet_png(sheet: _Sheet, width: int) -> bytes:
    """Modules of a whole number of pixels; what is left of the width widens the quiet zone."""
    module = width // sheet.width
    left = (width - module * sheet.width) // 2
    symbol = _drawn(sheet.symbol, module)
    if not sheet.lines and symbol.width == width:
        return _png(symbol)
    spare = width - symbol.width if not sheet.lines else 0
    page = Image.new("L", (width, round(sheet.height * module) + spare), 255)
    page.paste(symbol, (left, round(sheet.top * module) + spare // 2))
    draw = ImageDraw.Draw(page)
    for line in sheet.lines:
        at = (width / 2, line.baseline * module)
        draw.text(at, line.text, 0, _font(max(6, round(line.size * module))), anchor="ms")
    return _png(page)


def _sheet_svg(sheet: _Sheet, width: int, url: str) -> bytes:
    """Text stays text: the viewer's own Chinese font draws it, for outlines would need a font engine."""
    tall = sheet.height * width / sheet.width
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": _SVG[1:-1],
            "width": f"{width}mm",
            "height": f"{tall:.2f}mm",
            "viewBox": f"0 0 {sheet.width} {sheet.height:g}",
        },
    )
    ElementTree.SubElement(root, "title").text = url
    ElementTree.SubElement(root, "rect", {"width": str(sheet.width), "height": f"{sheet.height:g}", "fill": "#fff"})
    runs = "".join(f"M{x} {y + sheet.top:g}h{length}v1h-{length}z" for x, y, length in _runs(sheet.symbol))
    ElementTree.SubElement(root, "path", {"d": runs, "fill": "#000", "shape-rendering": "crispEdges"})
    for line in sheet.lines:
        place = {"x": f"{sheet.width / 2:g}", "y": f"{line.baseline:g}", "font-size": f"{line.size:.3g}"}
        style = {"text-anchor": "middle", "font-family": _FONT_FAMILY, "fill": "#000"}
        ElementTree.SubElement(root, "text", place | style).text = line.text
    out = BytesIO()
    ElementTree.ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
    return out.getvalue()


def _sheet_pdf(sheet: _Sheet, width: int, name: str) -> bytes:
    """Vector modules in one path, so that no hairline shows between them; the font's used characters are embedded."""
    module = width * mm / sheet.width
    page = (width * mm, sheet.height * module)
    out = BytesIO()
    with _PRINTING:
        canvas = Canvas(out, pagesize=page, invariant=1)
        canvas.setTitle(_printable(name))
        canvas.setFillGray(0)
        path = canvas.beginPath()
        for x, y, length in _runs(sheet.symbol):
            path.rect(x * module, page[1] - (sheet.top + y + 1) * module, length * module, module)
        canvas.drawPath(path, stroke=0, fill=1)
        for line in sheet.lines:
            canvas.setFont(_pdf_font().fontName, line.size * module)
            canvas.drawCentredString(page[0] / 2, page[1] - line.baseline * module, line.text)
        canvas.save()
    return out.getvalue()


def _runs(symbol: _Symbol) -> list[tuple[int, int, int]]:
    """Dark modules as (x, y, length) of horizontal runs."""
    runs = []
    for y, row in enumerate(symbol.rows):
        x = 0
        for dark, group in groupby(row):
            length = len(list(group))
            if dark:
                runs.append((x, y, length))
            x += length
    return runs


def _prove(picture: Image.Image, url: str) -> None:
    """Read at full size, and again at 3 px a module, blurred and as a bad JPEG: what a chat makes of a picture."""
    if payloads(picture) != [url.encode("ascii")]:
        raise CodeUnreadable("the code does not say its address")
    share = min(1.0, MIN_MODULE_PX * len(_permanent(url).rows) / picture.width)
    small = picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.BOX)
    out = BytesIO()
    small.filter(ImageFilter.GaussianBlur(0.6)).save(out, "JPEG", quality=50)
    with Image.open(out) as poor:
        if payloads(poor) != [url.encode("ascii")]:
            raise CodeUnreadable("the code is lost when it is shrunk")


def _png(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _font_path() -> str:
    """WenQuanYi Micro Hei (Apache-2.0), from a package, so that no machine needs a font of its own."""
    return str(files("paperang_p2_fonts_cjk").joinpath("fonts/wqy-microhei.ttc"))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_font_path(), size)


@cache
def _pdf_font() -> TTFont:
    font = TTFont(_FONT_NAME, _font_path(), subfontIndex=0)
    pdfmetrics.registerFont(font)
    return font
