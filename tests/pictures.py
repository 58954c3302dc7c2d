"""Pictures for tests, drawn here: phone screens with codes, photos of them, and files made to do harm."""

import base64
import random
import struct
import zlib
from importlib.resources import files
from io import BytesIO
from typing import Any

import qrcode
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

GROUP = "https://weixin.qq.com/g/AwYAAyGcFRl1SPnXNYvMIHa_2o76umfXfKm_r5kJP1VrT-1FJors_6ILi8IHn5kx"
OTHER_GROUP = "https://weixin.qq.com/g/AwYAAwkflF6XUi5AhuqpfEnbtXAqwK8jZfALhLSzFyCmmdKTxp_TkSF2RCdKDFRu"
SHORT_GROUP = "https://weixin.qq.com/g/AwYAAKiayB3cw7B4"
PERSON = "https://u.wechat.com/MI93QDXFJOpeGcisVu0jU44"
PAYMENT = "wxp://f2f0aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"


def code(
    payload: str | bytes, *, module: int = 10, border: int = 4, level: int = qrcode.ERROR_CORRECT_M
) -> Image.Image:
    """A plain QR code, grey."""
    qr = qrcode.QRCode(error_correction=level, border=border, box_size=1)
    qr.add_data(payload, optimize=0)
    rows = qr.get_matrix()
    small = Image.frombytes("L", (len(rows), len(rows)), bytes(0 if dark else 255 for row in rows for dark in row))
    return small.resize((len(rows) * module, len(rows) * module), Image.Resampling.NEAREST)


def screen(
    payload: str = GROUP,
    *,
    title: str = "春日读书会③群",
    line: str = "该二维码7天内(5月10日前)有效，重新进入将更新",
    width: int = 1080,
    dark: bool = False,
    inverted: bool = False,
    second: str | None = None,
    seed: int = 1,
) -> Image.Image:
    """A phone's screen as WeChat shows a group: avatar and name, the code, the line with the date."""
    ground, paper, ink = ("#111111", "#262626", "#dddddd") if dark else ("#ededed", "white", "black")
    picture = Image.new("RGB", (1080, 2340), ground)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((90, 400, 990, 1500), 24, fill=paper)
    _avatar(picture, (150, 450, 270, 570), seed)
    draw.text((300, 480), title, ink, font(48))
    symbol = code(payload, module=12)
    symbol = ImageOps.invert(symbol) if inverted else symbol
    symbol = symbol.resize((660, 660), Image.Resampling.LANCZOS)
    picture.paste(symbol, (210, 640))
    _avatar(picture, (490, 920, 590, 1020), seed)
    draw.text((540, 1400), line, "#888888", font(32), anchor="mm")
    if second is not None:
        picture.paste(code(second).resize((300, 300), Image.Resampling.LANCZOS), (700, 1900))
    return picture.resize((width, round(2340 * width / 1080)), Image.Resampling.LANCZOS)


def photo(picture: Image.Image, *, seed: int = 1) -> Image.Image:
    """The screen photographed: seen askew, in uneven light, a little out of focus, with noise."""
    rng = random.Random(seed)
    w, h = picture.size
    quad = [(rng.uniform(-0.07, 0.07) * w, rng.uniform(-0.07, 0.07) * h) for _ in range(4)]
    corners = [(0, 0), (0, h), (w, h), (w, 0)]
    spread = [value for (x, y), (dx, dy) in zip(corners, quad, strict=True) for value in (x + dx, y + dy)]
    turned = picture.transform(
        picture.size, Image.Transform.QUAD, spread, Image.Resampling.BICUBIC, fillcolor="#3c5a34"
    )
    light = Image.radial_gradient("L").resize(picture.size).point(lambda value: 255 - value // 3)
    lit = Image.composite(turned, Image.new("RGB", picture.size, "#303030"), light)
    noise = Image.effect_noise(picture.size, 40).convert("RGB")
    return Image.blend(lit.filter(ImageFilter.GaussianBlur(1)), noise, 0.12)


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(files("paperang_p2_fonts_cjk").joinpath("fonts/wqy-microhei.ttc")), size)


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def jpeg(picture: Image.Image, *, quality: int = 70, orientation: int | None = None) -> bytes:
    """A JPEG as phones write it: with the camera's name, a place on the map, and perhaps the turn only noted down."""
    exif = Image.Exif()
    exif[0x010F] = "Huozi Phone"
    exif.get_ifd(0x8825)[2] = (23.0, 7.0, 44.0)
    if orientation is not None:
        exif[0x0112] = orientation
    return encoded(picture, "JPEG", quality=quality, exif=exif, comment=b"a secret")


def sideways(picture: Image.Image, orientation: int) -> bytes:
    """Pixels stored turned, so that they are upright only by their EXIF note."""
    stored = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    return jpeg(picture.transpose(stored[orientation]), orientation=orientation)


def png_header_of(width: int, height: int, *, body: bytes = b"") -> bytes:
    """A PNG that claims a size. With a body of zeros it is a bomb: 17 KB that unpack to gigabytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def png_bomb(side: int = 12_000) -> bytes:
    row = bytes(1 + 3 * side)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png_header_of(side, side, body=body)


def heic(*, width: int | None = None, height: int | None = None) -> bytes:
    """An iPhone's kind of file, 148 px a side, holding the code of SHORT_GROUP and EXIF; with another size noted in its
    header if asked. Drawn by `code` and encoded once elsewhere: what we install for HEIC only reads it."""
    data = base64.b64decode(_HEIC)
    if width is None or height is None:
        return data
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _avatar(picture: Image.Image, box: tuple[int, int, int, int], seed: int) -> None:
    rng = random.Random(seed)
    left, top, right, bottom = box
    patch = Image.new("RGB", (right - left, bottom - top), _colour(rng))
    draw = ImageDraw.Draw(patch)
    for _ in range(4):
        x, y, r = rng.randrange(patch.width), rng.randrange(patch.height), rng.randrange(15, 60)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_colour(rng))
    picture.paste(patch, (left, top))


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


_HEIC = """
AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAZFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAERA
AAIAAQAAAAABtQABAAAAAAAABJAAAgAAAAAGRQABAAAAAAAAAGYAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQAC
AABFeGlmAAAAAA5waXRtAAAAAAABAAAA0GlwcnAAAACxaXBjbwAAAHRodmNDAQQIAAAAn/gAAAAAHvAA/Pz4+AAADwNgAAEAF0ABDAH//wQIAAADAJ/4
AAADAAAeugJAYQABAChCAQEECAAAAwCf+AAAAwAAHsBMgJnLLlupJKa5sCAAAAMDIAAAAwAhYgABAAdEAcFysGJAAAAAE2NvbHJuY2x4AAEADQAGgAAA
ABRpc3BlAAAAAAAAAJQAAACUAAAADnBpeGkAAAAAAQgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAE/m1k
YXQAAASMKAGuFrFPFItn////neK63FcAc89wTNB/NC/9rkJMqTeLjKm/oyBUoDrduMBkHgnKolTj/hSEZaKQd3/0LAycwaUTyUpTCM5fthXF+Btpm/W5
1FHMpf/TeX/YofZSBQLekNtckEpaDjO7YbqpMhnk6raQUyELZOe8CUJcFOpEX37U6eoxfuaGljAvb6mvrMzp6S4AuESIzElKcFzkQElT7JwGsELVou8a
k4Q25tLzYUpe6tAnNPrlOeO6pVPiiAvcKkFSMcFlqjiM1DCUZMT/U1RtKPoZKz0FtyB1VHLy2SGcje8adfq+qobLnrm49F+4rKEto5RpV7YrGJHyG8Oy
ck2v7wTnfb0DnrzALAgdWrnORza74Bu4LQIMSNP3SA14buvppX2UG+pupcMF3CDS9pfOyUpRfMlUB5B3fBzDseLgHGdj2QFkonC9nk72x/P0O3I671rJ
1+EUQNMK4ThgB7jOM95hcRhakhf9VaUbhqFPjzfH34NqSaJXlr01G94Iy25v2sudjqdmqX376IA49uVxql4lXnkhtGSkU8mk5TqELIbgnZzGuDQocYG4
G/fNE2jbT6nNTPgAp7K1lmEymih5xtkCWB4TWGz+FUp/IzrHPOBPUgTkAIcIKRRIpYfgvWRWAc66+vHXLqC3eDpN1Pw/BesisBm3IBISCeIv4g+rpEJI
hZomqtXYGR5XPO53YaE2fdo40LSV/Finu/om6nV7fFuY7MnLfaAS4P3+vthPCxfxuHzYRqfQ5rSN0XPiMpMWFLAOHIVyQ5FVFTLqk7rDSKdfTJCYHo2X
hWBgbVB8HdPTj6/qZKRIni6VARRDW452AMBQKac+cRvpPAcbX35zHUhjAY7y7Try+5oOzVWNQpAf7zNmY9MKE3iNXR5AGCBNGYCeY8zkSoiDf8jDa7HG
Opc260pSgXL1dJQvlm9EZ6c4ixLP7Fz+mDhTaS9LVtEpIzc3VUR7msJo6sRVQ6vyo8LFSyFBQNiX53UhbW1ohXCn3miMl+Ue1LqRbBsl0AaYGYqSd1Tf
jPEBHJXrSQAWszKwll0sE9hzYkqbMmZ1FxpJUKP+Uua1UT+sv2eBVtoP1gngxLnUAQcDtHYEHFgWbAJmyvdr3b6BH/F7if9wTe02R+zY0eKCZG0m5xFi
CW3qiVnLTrTiysEcZwl1gDSeAmaanks5IhWz7JPLNOtb1FGcvHFMAG0blp5yd6fZB3uoDFocfmuFfg/PCiUtBuQPU4vJS3kH2VMewPbrStL1Ty7N7Hsd
o4SWm2POL7Y476z8J3qGZPgItUkrXwnADiZLSAmzwFfl6JcOO94GibzdlKrXNoc8rBK8VoC+aPr3qxMkNTSdH7PYQBIhZdzLS8zuNcAJmOcf/Ia1c0bR
15NCUID1BCPEuwqZxeWaDwOgG/7iZLQ+O1TH2wIsZpVd5WCv6UQvnVFY0P074GDSvnigumLpTeyYGn7oBpG4RBW1ag5nY7dnFj2tIdzByX/wlct6J5FH
In/UTenxsRxoksLgAAMY/efOR3d5umROMSzkTkOYaMCVgMT+MJaAAAAABkV4aWYAAE1NACoAAAAIAAIBDwACAAAADAAAACaIJQAEAAAAAQAAADIAAAAA
SHVvemkgUGhvbmUAAAEAAgAFAAAAAwAAAEQAAAAAAAAAFwAAAAEAAAAHAAAAAQAAACwAAAAB
"""
