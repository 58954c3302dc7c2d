import time
from io import BytesIO
from math import pi, sin

import pytest
import qrcode
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from app.outside.images import Upload, open_upload
from app.outside.qr_read import Reading, payloads, proven_cut, read
from tests import pictures


def reading_of(picture: Image.Image | bytes) -> Reading:
    upload = open_upload(picture) if isinstance(picture, bytes) else Upload(picture.convert("RGB"), "PNG")
    assert isinstance(upload, Upload), upload
    return read(upload)


def texts(picture: Image.Image | bytes) -> list[str | None]:
    return [code.text for code in reading_of(picture).codes]


def foreign(form: zxingcpp.BarcodeFormat, text: str) -> Image.Image:
    """A symbol that is no QR code, on a page."""
    symbol = Image.fromarray(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(text, form), scale=5))
    page = Image.new("L", (symbol.width + 200, symbol.height + 200), 255)
    page.paste(symbol, (100, 100))
    return page


SCREENS = {
    "plain": lambda: pictures.screen(),
    "dark": lambda: pictures.screen(dark=True),
    "inverted": lambda: pictures.screen(dark=True, inverted=True),
    "small": lambda: pictures.screen(width=424),
    "tiny": lambda: pictures.screen(width=266),
    "photo": lambda: pictures.photo(pictures.screen(width=720)),
    "dark photo": lambda: pictures.photo(pictures.screen(width=720, dark=True), seed=3),
    "upside down": lambda: pictures.screen().rotate(180),
    "askew": lambda: pictures.screen().rotate(31, expand=True, fillcolor="#446644"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_code_on_every_kind_of_screen_is_read(name: str) -> None:
    assert texts(SCREENS[name]()) == [pictures.GROUP]


@pytest.mark.parametrize("quality", [90, 60, 40])
def test_the_code_of_a_jpeg_screenshot_is_read(quality: int) -> None:
    assert texts(pictures.jpeg(pictures.screen(), quality=quality)) == [pictures.GROUP]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_screen_lying_on_its_side_is_read(orientation: int) -> None:
    assert texts(pictures.sideways(pictures.screen(width=720), orientation)) == [pictures.GROUP]


def test_an_iphone_picture_is_read() -> None:
    assert texts(pictures.heic()) == [pictures.SHORT_GROUP]


def test_two_codes_in_one_picture_are_both_listed() -> None:
    assert texts(pictures.screen(second=pictures.PERSON)) == [pictures.GROUP, pictures.PERSON]


def test_a_group_comes_before_a_larger_web_link_and_before_text() -> None:
    page = Image.new("L", (1500, 700), 255)
    page.paste(pictures.code("x" * 50, module=10), (0, 0))
    page.paste(pictures.code("https://example.com/", module=12), (500, 0))
    page.paste(pictures.code(pictures.GROUP, module=6), (1100, 0))
    assert texts(page) == [pictures.GROUP, "https://example.com/", "x" * 50]


def test_of_two_groups_the_larger_comes_first() -> None:
    page = Image.new("L", (1200, 800), 255)
    page.paste(pictures.code(pictures.OTHER_GROUP, module=6), (0, 0))
    page.paste(pictures.code(pictures.GROUP, module=12), (450, 0))
    assert texts(page) == [pictures.GROUP, pictures.OTHER_GROUP]


@pytest.mark.parametrize("modules", [(6, 12), (12, 6)])
def test_the_same_code_twice_is_one_code_the_larger(modules: tuple[int, int]) -> None:
    page = Image.new("L", (1300, 700), 255)
    page.paste(pictures.code(pictures.GROUP, module=modules[0]), (0, 0))
    page.paste(pictures.code(pictures.GROUP, module=modules[1]), (650, 0))
    (found,) = reading_of(page).codes
    assert found.side == pytest.approx(41 * 12, abs=12)


def test_where_the_code_stands_is_told_in_pixels_of_the_upload() -> None:
    (found,) = reading_of(pictures.screen()).codes
    assert found.modules == 41
    assert found.side == pytest.approx(41 / 49 * 660, abs=6)
    assert found.corners[0] == pytest.approx((264, 694), abs=6)
    assert found.corners[2] == pytest.approx((816, 1246), abs=6)
    assert not found.inverted


def test_the_corners_of_a_code_read_only_enlarged_are_told_in_pixels_of_the_upload() -> None:
    small = pictures.code(pictures.GROUP, module=2, border=4).filter(ImageFilter.GaussianBlur(0.9))
    page = Image.new("L", (300, 300), 255)
    page.paste(small, (100, 100))
    (found,) = reading_of(page).codes
    assert found.text == pictures.GROUP
    assert found.corners[0] == pytest.approx((108, 108), abs=4)
    assert found.corners[2] == pytest.approx((190, 190), abs=4)


def test_an_inverted_code_is_marked() -> None:
    (found,) = reading_of(pictures.screen(dark=True, inverted=True)).codes
    assert found.inverted


def pale() -> Image.Image:
    """A picture for ink: leaves of every shade on white paper."""
    leaves = Image.effect_noise((490, 490), 160).filter(ImageFilter.GaussianBlur(3))
    leaves = ImageOps.autocontrast(leaves).point(lambda value: 40 + value * 160 // 255)
    return Image.composite(Image.new("L", (490, 490), 255), leaves, pictures.code(pictures.GROUP))


def cloth(bulge: float) -> Image.Image:
    """A code printed on a shirt: its middle pushed aside."""
    flat, step = pictures.code("http://code.example.com", module=8, level=qrcode.ERROR_CORRECT_L), 33
    side = flat.width

    def moved(x: int, y: int) -> tuple[float, float]:
        across, down = pi * x / side, pi * y / side
        return x - bulge * sin(across) * sin(down), y - bulge * sin(2 * across) * sin(down)

    mesh = []
    for x in range(0, side - step + 1, step):
        for y in range(0, side - step + 1, step):
            right, below = x + step, y + step
            quad = (*moved(x, y), *moved(x, below), *moved(right, below), *moved(right, y))
            mesh.append(((x, y, right, below), quad))
    return flat.transform(flat.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def test_a_code_with_a_picture_for_ink_is_read() -> None:
    assert texts(pale()) == [pictures.GROUP]


@pytest.mark.parametrize("bulge", [8, 9])
def test_a_code_on_cloth_is_bent_back_and_read(bulge: float) -> None:
    picture = cloth(bulge)
    assert payloads(picture) == []
    assert texts(picture) == ["http://code.example.com"]


def test_a_code_too_damaged_to_read_is_said_to_be_there() -> None:
    picture = pictures.code(pictures.GROUP)
    picture.paste(255, (150, 150, 340, 340))
    assert reading_of(picture) == Reading((), "damaged_qr")


@pytest.mark.parametrize(
    ("form", "text", "name"),
    [
        (zxingcpp.BarcodeFormat.EAN13, "6901234567892", "barcode"),
        (zxingcpp.BarcodeFormat.Code128, "HUOZI-128", "barcode"),
        (zxingcpp.BarcodeFormat.DataMatrix, "https://example.com/", "data_matrix"),
        (zxingcpp.BarcodeFormat.Aztec, "https://example.com/", "aztec"),
        (zxingcpp.BarcodeFormat.PDF417, "https://example.com/", "pdf417"),
    ],
)
def test_another_kind_of_code_is_named(form: zxingcpp.BarcodeFormat, text: str, name: str) -> None:
    assert reading_of(foreign(form, text)) == Reading((), name)


@pytest.mark.parametrize("form", [zxingcpp.BarcodeFormat.MicroQRCode])
def test_a_micro_qr_code_with_a_link_is_read(form: zxingcpp.BarcodeFormat) -> None:
    (found,) = reading_of(foreign(form, "http://t.cn/ab")).codes
    assert (found.text, found.modules) == ("http://t.cn/ab", 17)


def test_a_micro_qr_code_too_small_for_a_link_is_passed_over() -> None:
    assert reading_of(foreign(zxingcpp.BarcodeFormat.MicroQRCode, "12345")).codes == ()


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_without_a_code_gives_none(seed: int) -> None:
    page = Image.new("RGB", (700, 700), "white")
    page.paste(pictures.screen(seed=seed).crop((90, 400, 990, 600)).resize((700, 155)), (0, 0))
    page.paste(Image.effect_noise((700, 300), 90).convert("RGB"), (0, 300))
    assert reading_of(page) == Reading(())


def test_an_empty_page_of_any_size_gives_none() -> None:
    for size in ((1, 1), (3000, 3000)):
        assert reading_of(Image.new("RGB", size, "white")) == Reading(())


def test_the_payload_is_kept_byte_for_byte() -> None:
    (found,) = reading_of(pictures.code("https://例子.cn/活动".encode())).codes
    assert found.payload == "https://例子.cn/活动".encode()
    assert found.text == "https://例子.cn/活动"


@pytest.mark.parametrize("payload", ["读书会".encode("gb18030"), b"\xc3\xde\xbb\xde\xb2\xddQR", b"\xff\xfe\x00"])
def test_bytes_that_are_no_utf8_have_no_text(payload: bytes) -> None:
    (found,) = reading_of(pictures.code(payload)).codes
    assert (found.payload, found.text) == (payload, None)


def test_text_of_a_declared_other_character_set_is_not_taken_for_utf8() -> None:
    symbol = zxingcpp.create_barcode("Ã©", zxingcpp.BarcodeFormat.QRCode, eci="ISO8859_1")
    page = ImageOps.expand(Image.fromarray(zxingcpp.write_barcode_to_image(symbol, scale=8)), 40, 255)
    (found,) = reading_of(page).codes
    assert (found.payload, found.text) == ("é".encode(), None)


@settings(max_examples=30, deadline=None)
@given(st.text("活动读书会群号例子éü?=&/", min_size=1, max_size=12))
def test_a_link_with_chinese_in_it_keeps_its_text(tail: str) -> None:
    assert texts(pictures.code(f"https://a.cn/{tail}".encode(), module=4)) == [f"https://a.cn/{tail}"]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=120))
def test_any_payload_is_read_back_exactly(payload: bytes) -> None:
    picture = pictures.code(payload, module=4)
    assert payloads(picture) == [payload]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 2.2), st.floats(0, 0.5), st.floats(-45, 45))
def test_a_spoiled_picture_reads_as_what_it_says_or_not_at_all(
    seed: int, blur: float, noise: float, turn: float
) -> None:
    picture = pictures.code(pictures.SHORT_GROUP, module=4).rotate(turn, expand=True, fillcolor=255)
    dirt = Image.effect_noise(picture.size, 50 + seed % 200)
    spoiled = Image.blend(picture.filter(ImageFilter.GaussianBlur(blur)), dirt, noise)
    assert texts(spoiled) in ([pictures.SHORT_GROUP], [])


@pytest.mark.parametrize("name", SCREENS)
def test_the_cut_of_every_screen_reads_as_the_same_code(name: str) -> None:
    upload = Upload(SCREENS[name]().convert("RGB"), "PNG")
    (found,) = read(upload).codes
    cut = proven_cut(upload, found)
    assert cut is not None
    with Image.open(BytesIO(cut)) as picture:
        assert payloads(picture) == [found.payload]
        assert picture.width == picture.height >= 480


def test_the_cut_of_one_of_two_codes_holds_that_one_alone() -> None:
    upload = Upload(pictures.screen(second=pictures.PERSON), "PNG")
    for found in read(upload).codes:
        cut = proven_cut(upload, found)
        assert cut is not None
        with Image.open(BytesIO(cut)) as picture:
            assert payloads(picture) == [found.payload]


def test_there_is_no_cut_of_a_code_that_only_reads_when_bent_back() -> None:
    upload = Upload(cloth(9).convert("RGB"), "PNG")
    (found,) = read(upload).codes
    assert proven_cut(upload, found) is None


def test_looking_stops_when_the_time_is_up() -> None:
    noise = Image.effect_noise((3000, 3000), 120).convert("RGB")
    start = time.monotonic()
    assert read(Upload(noise, "PNG"), time_limit_seconds=0) == Reading(())
    assert time.monotonic() - start < 3
    assert read(Upload(pictures.screen(), "PNG"), time_limit_seconds=0).codes != ()
