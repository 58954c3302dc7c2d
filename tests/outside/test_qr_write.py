import re
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from typing import get_args
from xml.etree import ElementTree

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from app.outside.qr_read import payloads
from app.outside.qr_write import (
    TEST_LINE,
    CodeUnreadable,
    Format,
    draw_member,
    permanent_code,
    prove_pdf,
    prove_png,
    prove_svg,
    size_bounds,
)
from tests import pictures

URL = "https://huozi.example.cn/s/k3f9qa"
FORMATS: tuple[Format, ...] = get_args(Format)
SVG = "{http://www.w3.org/2000/svg}"
WIDTH = 33 + 8  # A 33-character address at level Q is version 4, and eight modules of quiet zone.


def said(png: bytes) -> list[bytes]:
    with Image.open(BytesIO(png)) as picture:
        return payloads(picture)


def page_of(pdf: bytes, scale: float = 3) -> Image.Image:
    with pypdfium2.PdfDocument(pdf) as document:
        return document[0].render(scale=scale).to_pil().convert("L")


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return str(document[0].get_textpage().get_text_range())


def svg_texts(svg: bytes) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def lines_of(png: bytes) -> int:
    """How many bands of ink a sheet has, one below the other; the code is one."""
    with Image.open(BytesIO(png)) as picture:
        grey = picture.convert("L")
    dark = [grey.crop((0, y, grey.width, y + 1)).getextrema()[0] < 128 for y in range(grey.height)]
    return sum(now and not before for before, now in zip([False, *dark], dark, strict=False))


@pytest.mark.parametrize(
    "payload",
    [pictures.GROUP, pictures.PERSON, pictures.SHORT_GROUP, "HTTPS://EXAMPLE.COM/A", "https://a.cn/?a=1&b=%E6%B4%BB#x"],
)
def test_a_member_is_drawn_anew_byte_for_byte(payload: str) -> None:
    data = draw_member(payload)
    assert data is not None
    assert said(data) == [payload.encode()]
    with Image.open(BytesIO(data)) as drawn:
        assert drawn.format == "PNG"
        assert drawn.mode == "1"
        assert 480 <= drawn.width == drawn.height < 560
    assert len(data) < 2000


def test_a_drawn_member_has_a_quiet_zone_of_four_modules() -> None:
    data = draw_member(pictures.GROUP)
    assert data is not None
    with Image.open(BytesIO(data)) as drawn:
        module = drawn.width // 49
        assert ImageOps.invert(drawn.convert("L")).getbbox() == (4 * module, 4 * module, 45 * module, 45 * module)


@pytest.mark.parametrize(
    "payload", ["读书会", "no link", pictures.PAYMENT, "https://例子.cn/", "", "javascript:alert(1)"]
)
def test_what_is_no_ascii_link_is_not_drawn(payload: str) -> None:
    assert draw_member(payload) is None


def test_the_longest_link_is_still_drawn() -> None:
    link = "https://example.com/" + "aB3-" * 507
    data = draw_member(link)
    assert data is not None
    assert said(data) == [link.encode()]


@settings(max_examples=30, deadline=None)
@given(st.text("abcXYZ0129-_./?=&%", max_size=120))
def test_any_ascii_link_is_drawn_exactly(tail: str) -> None:
    data = draw_member("https://example.com/" + tail)
    assert data is not None
    assert said(data) == [("https://example.com/" + tail).encode()]


@pytest.mark.parametrize("width", [None, 123, 200, 333, 1000, 2480])
def test_a_png_is_as_wide_as_asked_and_says_the_address(width: int | None) -> None:
    data = permanent_code(URL, format="png", size=width)
    assert said(data) == [URL.encode()]
    with Image.open(BytesIO(data)) as picture:
        assert picture.size == (width or 410, width or 410)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_the_address_with_all_its_text(format: Format) -> None:
    data = permanent_code(URL, format=format, title="春日读书会③群", caption="微信扫一扫", test=True)
    {"png": prove_png, "svg": prove_svg, "pdf": prove_pdf}[format](data, URL)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_order_gives_the_same_file(format: Format) -> None:
    first, second = (permanent_code(URL, format=format, title="读书会") for _ in range(2))
    assert first == second


def test_a_pdf_is_as_wide_as_asked_and_reads_on_paper() -> None:
    data = permanent_code(URL, format="pdf", size=50)
    with pypdfium2.PdfDocument(data) as document:
        assert document[0].get_size() == pytest.approx((50 / 25.4 * 72, 50 / 25.4 * 72), abs=0.1)
    for dots_per_inch in (100, 150, 300):
        assert payloads(page_of(data, dots_per_inch / 72)) == [URL.encode()]


def test_a_pdf_carries_its_chinese_text_and_the_font_for_it() -> None:
    data = permanent_code(URL, format="pdf", title="春日读书会③群", caption="微信扫一扫", test=True)
    assert [part.strip() for part in text_of(data).splitlines()] == ["春日读书会③群", "微信扫一扫", TEST_LINE]
    assert b"/FontFile2" in data
    assert len(data) < 60_000


def test_a_pdf_is_made_of_vectors() -> None:
    data = permanent_code(URL, format="pdf")
    assert b"/Subtype /Image" not in data
    assert len(data) < 6000


def test_an_svg_is_one_path_on_white_as_wide_as_asked() -> None:
    root = ElementTree.fromstring(permanent_code(URL, format="svg", size=60))
    assert (root.attrib["width"], root.attrib["height"]) == ("60mm", "60.00mm")
    assert root.attrib["viewBox"] == f"0 0 {WIDTH} {WIDTH}"
    assert len(list(root.iter(f"{SVG}path"))) == 1


def test_an_svg_carries_its_text_harmless() -> None:
    data = permanent_code(URL, format="svg", title="<script>alert('春')</script>", caption="微信扫一扫", test=True)
    assert svg_texts(data) == ["<script>alert('春')</script>", "微信扫一扫", TEST_LINE]
    assert b"<script" not in data


def test_a_test_code_says_not_to_print_it_under_the_code() -> None:
    plain, marked = (permanent_code(URL, format="png", test=test) for test in (False, True))
    assert (lines_of(plain), lines_of(marked)) == (1, 2)
    with Image.open(BytesIO(plain)) as before, Image.open(BytesIO(marked)) as after:
        assert after.height > before.height
        assert after.convert("L").crop((0, 0, 410, 410)).tobytes() == before.convert("L").tobytes()


def test_title_and_caption_stand_outside_the_quiet_zone() -> None:
    data = permanent_code(URL, format="png", title="读书会", caption="微信扫一扫")
    assert lines_of(data) == 3
    with Image.open(BytesIO(data)) as picture:
        code = ImageOps.invert(picture.convert("L").crop((0, 40, 410, 450))).getbbox()
        assert code == (40, 40, 370, 370)


@pytest.mark.parametrize(
    "title",
    ["读书会" * 4000, "a" * 10_000, "🔥", "\u202eevil\u200f", "a\x00b\x1b[31m", "<b>x</b>&amp;", "\ud800", "שלום"],
)  # fmt: skip
@pytest.mark.parametrize("format", FORMATS)
def test_no_title_gets_in_the_way_of_the_code(format: Format, title: str) -> None:
    data = permanent_code(URL, format=format, title=title, caption=title, test=True)
    {"png": prove_png, "svg": prove_svg, "pdf": prove_pdf}[format](data, URL)


def test_a_title_too_long_is_shrunk_then_shortened() -> None:
    fits, shrunk, cut = ("春" * 12, "春" * 20, "春" * 60)
    for title, shown in ((fits, fits), (shrunk, shrunk)):
        assert svg_texts(permanent_code(URL, format="svg", title=title)) == [shown]
    (text,) = svg_texts(permanent_code(URL, format="svg", title=cut))
    assert text is not None
    assert re.fullmatch("春{20,30}…", text)


def test_the_font_is_the_one_whose_licence_we_read() -> None:
    font = files("paperang_p2_fonts_cjk").joinpath("fonts/wqy-microhei.ttc").read_bytes()
    assert sha256(font).hexdigest() == "2420e8078af796b19a3f6ef13de527a1a91c1e7171eea115926c614ced1009b3"


def test_what_the_font_cannot_draw_is_left_out() -> None:
    data = permanent_code(URL, format="svg", title="春🔥日\u202e\t 读\x00书", test=False)
    assert svg_texts(data) == ["春日 读书"]
    assert svg_texts(permanent_code(URL, format="svg", title="🔥")) == []


@pytest.mark.parametrize("format", FORMATS)
def test_the_bounds_of_the_size_are_kept(format: Format) -> None:
    least, most = size_bounds(URL, format)
    assert (least, most) == ((3 * WIDTH, 5000) if format == "png" else (21, 2000))
    assert permanent_code(URL, format=format, size=least)
    for size in (least - 1, most + 1, 0, -1):
        with pytest.raises(ValueError, match="size must be"):
            permanent_code(URL, format=format, size=size)


@pytest.mark.parametrize("url", ["", "k3f9qa", "https://例子.cn/s/a", "javascript:alert(1)"])
def test_a_permanent_code_says_an_address_or_nothing(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        permanent_code(url, format="png")


@settings(max_examples=15, deadline=None)
@given(
    st.from_regex(r"https?://[a-z]{1,20}\.[a-z]{2,10}(:[1-9][0-9]{2,3})?/s/[a-z0-9]{4,12}", fullmatch=True),
    st.integers(200, 900),
)
def test_any_short_url_is_drawn_at_any_size(url: str, size: int) -> None:
    assert said(permanent_code(url, format="png", size=size)) == [url.encode()]


def test_a_code_for_another_address_is_not_handed_out() -> None:
    other = URL[:-1] + "b"
    for format, prove in (("png", prove_png), ("svg", prove_svg), ("pdf", prove_pdf)):
        with pytest.raises(CodeUnreadable):
            prove(permanent_code(other, format=format), URL)


def test_a_code_with_a_second_one_beside_it_is_not_handed_out() -> None:
    page = Image.new("L", (900, 450), 255)
    page.paste(pictures.code(URL), (0, 0))
    page.paste(pictures.code(pictures.GROUP, module=8), (470, 0))
    with pytest.raises(CodeUnreadable):
        prove_png(pictures.encoded(page), URL)


def test_a_spoiled_png_is_not_handed_out() -> None:
    with Image.open(BytesIO(permanent_code(URL, format="png"))) as picture:
        spoiled = picture.convert("L")
    spoiled.paste(255, (120, 120, 290, 290))
    with pytest.raises(CodeUnreadable):
        prove_png(pictures.encoded(spoiled), URL)


def test_a_code_that_only_reads_large_is_not_handed_out() -> None:
    """Modules drawn as small dots: the big patterns hold the code together until it is shrunk."""
    module, last = 24, 32
    picture = pictures.code(URL, module=module)
    for x in range(33):
        for y in range(33):
            in_a_corner = (x < 9 and y < 9) or (x > last - 9 and y < 9) or (x < 9 and y > last - 9)
            in_the_small_pattern = 23 < x < 30 and 23 < y < 30
            left, top = (x + 4) * module, (y + 4) * module
            if not in_a_corner and not in_the_small_pattern and picture.getpixel((left, top)) == 0:
                picture.paste(255, (left, top, left + module, top + module))
                picture.paste(0, (left + 8, top + 8, left + 16, top + 16))
    assert payloads(picture) == [URL.encode()]
    with pytest.raises(CodeUnreadable, match="shrunk"):
        prove_png(pictures.encoded(picture), URL)


def test_an_svg_with_a_row_missing_or_a_shape_too_many_is_not_handed_out() -> None:
    svg = permanent_code(URL, format="svg").decode()
    without = re.sub(r"M\d+ (4|5|6)h\d+v1h-\d+z", "", svg)
    assert without != svg
    with pytest.raises(CodeUnreadable):
        prove_svg(without.encode(), URL)
    with pytest.raises(CodeUnreadable, match="more than"):
        prove_svg(svg.replace('d="M', 'd="M0 0L9 9zM').encode(), URL)


def test_a_pdf_with_its_drawing_gone_is_not_handed_out() -> None:
    blank = BytesIO()
    Image.new("L", (300, 300), 255).save(blank, "PDF")
    with pytest.raises(CodeUnreadable):
        prove_pdf(blank.getvalue(), URL)
