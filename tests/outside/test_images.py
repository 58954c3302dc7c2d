import struct
import threading
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.outside import images
from app.outside.images import (
    CARD_BYTES,
    MAX_BYTES,
    Corners,
    ImageRefusal,
    Upload,
    card_cut,
    cover_picture,
    is_inverted,
    open_upload,
    rectified_cut,
)
from tests import pictures

# Where `pictures.screen` draws its code, without the quiet zone: 41 modules and 8 of border over 660 px.
LEFT, RIGHT = 210 + 4 * 660 / 49, 870 - 4 * 660 / 49
TOP, BOTTOM = 640 + 4 * 660 / 49, 1300 - 4 * 660 / 49
CORNERS: Corners = ((LEFT, TOP), (RIGHT, TOP), (RIGHT, BOTTOM), (LEFT, BOTTOM))


def opened(data: bytes) -> Upload:
    upload = open_upload(data)
    assert isinstance(upload, Upload), upload
    return upload


def refused(data: bytes) -> ImageRefusal:
    refusal = open_upload(data)
    assert isinstance(refusal, ImageRefusal)
    return refusal


def metadata_of(data: bytes) -> set[str]:
    with Image.open(BytesIO(data)) as picture:
        return {key for key in picture.info if not key.startswith(("jfif", "progress", "transparency", "dpi"))} | (
            {"exif"} if picture.getexif() else set()
        )


SMALL = pictures.screen(width=360)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP"])
def test_each_format_is_told_by_its_content(form: str) -> None:
    upload = opened(pictures.encoded(SMALL, form))
    assert (upload.format, upload.picture.mode, upload.picture.size) == (form, "RGB", SMALL.size)


def test_jpeg_and_heic_are_opened_too() -> None:
    assert opened(pictures.jpeg(SMALL)).format == "JPEG"
    assert (opened(pictures.heic()).format, opened(pictures.heic()).picture.size) == ("HEIF", (148, 148))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    form = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "PNG")
    picture = Image.new("L", (40, 40), 128).convert(mode if mode != "I;16" else "I")
    if mode == "I;16":
        picture = picture.point(lambda value: value * 257).convert("I;16")
    upload = opened(pictures.encoded(picture, form))
    assert upload.picture.mode == "RGB"
    shade = upload.picture.convert("L").getpixel((20, 20))
    assert shade in ((0, 255) if mode == "1" else range(120, 136))


def test_what_is_transparent_turns_white() -> None:
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 10, 20))
    upload = opened(pictures.encoded(picture))
    assert upload.picture.getpixel((15, 5)) == (255, 255, 255)
    assert upload.picture.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_picture_that_is_upright_only_by_its_note_is_turned(orientation: int) -> None:
    upload = opened(pictures.sideways(SMALL, orientation))
    assert upload.picture.size == SMALL.size
    # The card's grey ground above, its white paper in the middle.
    assert upload.picture.getpixel((5, 5)) == pytest.approx((237, 237, 237), abs=8)
    assert upload.picture.getpixel((180, 480)) == pytest.approx((255, 255, 255), abs=8)


def test_nothing_of_the_upload_but_its_pixels_is_kept() -> None:
    data = pictures.jpeg(pictures.screen(), orientation=1)
    assert metadata_of(data) == {"exif", "comment"}
    upload = opened(data)
    assert upload.picture.info == {}
    assert not upload.picture.getexif()
    for cut in (card_cut(upload, CORNERS), rectified_cut(upload, CORNERS), cover_picture(upload)):
        assert metadata_of(cut) == set()
        assert b"secret" not in cut
        assert b"Huozi Phone" not in cut


def test_a_script_hidden_behind_the_picture_does_not_survive() -> None:
    upload = opened(pictures.jpeg(pictures.screen()) + b"<script>alert(1)</script>")
    assert b"script" not in cover_picture(upload)


def test_only_the_first_frame_of_a_moving_picture_is_looked_at() -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue", "green")]
    for form in ("GIF", "WEBP", "PNG"):
        data = pictures.encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert opened(data).picture.getpixel((25, 25)) == pytest.approx((255, 0, 0), abs=8)


def test_a_body_over_15_mb_is_too_large() -> None:
    assert refused(b"\xff\xd8\xff" + bytes(MAX_BYTES)).code == "image_too_large"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "empty"),
        (b"hello", "unknown"),
        (b"MZ\x90\x00" + bytes(200), "executable"),
        (b"\x7fELF" + bytes(200), "executable"),
        (b"#!/bin/sh\nrm -rf /\n", "script"),
        (b"%PDF-1.7\n", "pdf"),
        (b"PK\x03\x04" + bytes(60), "zip"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(60), "video"),
        (b"\x00\x00\x00\x20ftypavif" + bytes(60), "avif"),
        (b"II*\x00\x08\x00\x00\x00", "tiff"),
        (b"8BPS\x00\x01", "psd"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "svg"),
        (b"<!DOCTYPE html><html></html>", "html"),
        (b"BM, said the bitmap that was a letter to a friend", "unknown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unknown"),
    ],
)
def test_what_is_no_picture_is_not_an_image(data: bytes, detail: str) -> None:
    assert refused(data) == ImageRefusal("not_an_image", detail)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    assert isinstance(open_upload(data), ImageRefusal)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP"]), st.data())
def test_a_picture_with_damaged_bytes_gets_an_answer(form: str, data: st.DataObject) -> None:
    whole = bytearray(pictures.encoded(pictures.code("x", module=2), form))
    for _ in range(5):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    answer = open_upload(bytes(whole))
    assert isinstance(answer, Upload | ImageRefusal)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "HEIF"])
def test_a_truncated_picture_is_broken(form: str) -> None:
    data = pictures.heic() if form == "HEIF" else pictures.encoded(pictures.photo(SMALL), form)
    for share in (0.1, 0.6, 0.9):
        assert refused(data[: int(len(data) * share)]).code == "image_broken"


def test_a_header_without_a_picture_is_broken() -> None:
    assert refused(b"\xff\xd8\xff").code == "image_broken"
    assert refused(b"\x89PNG\r\n\x1a\n").code == "image_broken"


def test_more_than_25_megapixels_are_refused_from_the_header_alone() -> None:
    assert refused(pictures.png_header_of(5001, 5000)) == ImageRefusal("image_too_many_pixels", "5001x5000")


def test_a_side_over_12_000_pixels_is_refused() -> None:
    assert refused(pictures.png_header_of(12_001, 10)).code == "image_too_many_pixels"


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (100_000, 100_000), (2_000_000, 2_000_000)])
def test_a_bomb_is_never_unpacked(width: int, height: int) -> None:
    assert refused(pictures.png_header_of(width, height, body=zlib.compress(bytes(10)))).code == "image_too_many_pixels"


def test_a_real_bomb_of_432_megabytes_is_refused_at_once() -> None:
    bomb = pictures.png_bomb(12_000)
    assert len(bomb) < 1_000_000
    assert refused(bomb).code == "image_too_many_pixels"


def test_a_webp_bomb_is_refused_by_its_header() -> None:
    canvas = struct.pack("<I", 9999)[:3] * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    assert refused(b"RIFF" + struct.pack("<I", len(body)) + body).code in ("image_too_many_pixels", "image_broken")


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (11_000, 3_000)])
def test_an_heic_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    assert refused(pictures.heic(width=width, height=height)) == ImageRefusal(
        "image_too_many_pixels", f"{width}x{height}"
    )


def test_an_heic_that_crashes_its_decoder_is_broken_and_nothing_else() -> None:
    """One wrong byte in the name of its EXIF block ends the process that decodes it."""
    whole = pictures.heic()
    at = whole.index(b"Exif\x00") + 1
    assert refused(whole[:at] + b"\xe8" + whole[at + 1 :]) == ImageRefusal("image_broken", "OSError")


def test_an_heic_that_lies_about_its_size_is_broken() -> None:
    assert refused(pictures.heic(width=4000, height=4000)).code == "image_broken"
    assert refused(pictures.heic(width=10, height=10)).code == "image_broken"


def test_a_large_jpeg_is_decoded_reduced() -> None:
    data = pictures.encoded(Image.new("RGB", (7000, 7000), "white"), "JPEG")
    assert opened(data).picture.size == (3500, 3500)


def test_a_jpeg_over_50_megapixels_is_refused() -> None:
    data = pictures.encoded(Image.new("L", (7100, 7100)), "JPEG")
    assert refused(data).code == "image_too_many_pixels"


def test_a_jpeg_of_a_hundred_scans_is_refused() -> None:
    data = pictures.encoded(SMALL, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert isinstance(open_upload(data), Upload)
    assert refused(data[:-2] + data[last:-2] * 100 + data[-2:]) == ImageRefusal("image_broken", "scans")


def test_a_damaged_exif_block_costs_the_turn_and_not_the_picture() -> None:
    whole = pictures.jpeg(SMALL, orientation=6)
    at = whole.index(b"Exif\x00\x00") + 6
    assert opened(whole[:at] + b"MM\x00\x2a\xff\xff\xff\xff" + whole[at + 8 :]).picture.size == SMALL.size


def test_one_picture_is_decoded_at_a_time() -> None:
    data, answers = pictures.encoded(SMALL), []
    with images.DECODING:
        thread = threading.Thread(target=lambda: answers.append(open_upload(data)))
        thread.start()
        thread.join(0.3)
        assert answers == []
    thread.join(10)
    assert isinstance(answers[0], Upload)


def test_the_card_shows_avatar_name_and_date_line_in_40_kb() -> None:
    data = card_cut(opened(pictures.jpeg(pictures.screen())), CORNERS)
    assert len(data) <= CARD_BYTES
    with Image.open(BytesIO(data)) as card:
        assert card.format == "JPEG"
        assert max(card.size) <= 480
        grey = card.convert("L")
        # px of the card per px of the screen; the card begins 0.35 and 0.62 of the code's side before its corner.
        scale = grey.height / (2.05 * (RIGHT - LEFT))
        x0, y0 = LEFT - 0.35 * (RIGHT - LEFT), TOP - 0.62 * (BOTTOM - TOP)

        def darkest(box: tuple[int, int, int, int]) -> int:
            left, top, right, bottom = box
            places = [(left, x0), (top, y0), (right, x0), (bottom, y0)]
            return grey.crop(tuple(round((at - start) * scale) for at, start in places)).getextrema()[0]

        assert darkest((300, 480, 600, 530)) < 100, "the group's name"
        assert darkest((350, 1380, 730, 1420)) < 190, "the line with the date"
        assert darkest((820, 480, 900, 530)) > 200, "empty paper"


def test_the_card_of_a_noisy_photo_still_fits() -> None:
    bands = [Image.effect_noise((480, 1040), spread) for spread in (150, 200, 250)]
    corners: Corners = ((120, 330), (355, 330), (355, 565), (120, 565))
    for picture in (Image.merge("RGB", bands), bands[0].convert("RGB")):
        assert len(card_cut(Upload(picture, "PNG"), corners)) <= CARD_BYTES


def test_a_card_at_the_edge_of_the_picture_is_filled_up() -> None:
    upload = opened(pictures.encoded(pictures.code(pictures.SHORT_GROUP)))
    with Image.open(BytesIO(card_cut(upload, ((40, 40), (330, 40), (330, 330), (40, 330))))) as card:
        assert card.getpixel((1, 1)) == pytest.approx((242, 242, 242), abs=6)


def test_corners_on_one_line_are_no_code() -> None:
    with pytest.raises(ValueError, match="one line"):
        card_cut(Upload(SMALL, "PNG"), ((0, 0), (1, 1), (2, 2), (3, 3)))


def test_the_cut_is_upright_and_has_its_quiet_zone() -> None:
    upload = opened(pictures.encoded(pictures.screen().rotate(180)))
    turned: Corners = tuple((1080 - x, 2340 - y) for x, y in CORNERS)  # type: ignore[assignment]
    with Image.open(BytesIO(rectified_cut(upload, turned, modules=41))) as cut:
        grey = cut.convert("L")
        assert grey.size == (490, 490)
        assert grey.crop((0, 0, 490, 38)).getextrema()[0] > 250
        # The three finder patterns, and none at the bottom right.
        assert [grey.getpixel(at) < 60 for at in ((75, 75), (414, 75), (75, 414))] == [True] * 3


def test_an_inverted_code_is_told_and_cut_dark_on_light() -> None:
    picture = pictures.screen(dark=True, inverted=True)
    assert is_inverted(picture, CORNERS, 41)
    assert not is_inverted(pictures.screen(dark=True), CORNERS, 41)
    with Image.open(BytesIO(rectified_cut(Upload(picture, "PNG"), CORNERS, modules=41, inverted=True))) as cut:
        assert cut.convert("L").getpixel((75, 75)) < 60


def test_a_cover_is_encoded_anew_at_960_pixels_at_most() -> None:
    with Image.open(BytesIO(cover_picture(opened(pictures.jpeg(pictures.screen()))))) as cover:
        assert (cover.format, cover.size) == ("JPEG", (443, 960))
    with Image.open(BytesIO(cover_picture(opened(pictures.encoded(SMALL))))) as cover:
        assert cover.size == SMALL.size
