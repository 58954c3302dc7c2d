"""HEIC pictures, decoded in a process of their own.

libheif and its Python binding die on damaged files: one wrong byte in the name of a metadata block, and the process is
gone with every request it served. So this file is two things: `decode`, which starts a child and takes pixels from it,
and the child, which is this same file run as a script and knows nothing of the application.
"""

import os
import resource
import subprocess
import sys
from io import BytesIO

from PIL import Image, ImageOps

# Python, Pillow and libheif take 150 MB of address space; 25 megapixels decoded, turned and written out 400 more.
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 15


class TooLarge(ValueError):
    """The header says more pixels than allowed; the message is the size, as "20000x20000"."""


def decode(data: bytes, *, max_pixels: int, max_side: int) -> Image.Image:
    """The picture, upright, in RGB or the grey it has. Takes 0.1 s for the process and up to 0.6 s for the pixels.

    Raises TooLarge; OSError for anything broken, a crash and too much memory or time included (TimeoutExpired where the
    child neither ends nor works).
    """
    command = [sys.executable, "-I", __file__, str(max_pixels), str(max_side)]
    run = subprocess.run(command, input=data, capture_output=True, timeout=2 * CPU_SECONDS, env=_no_secrets())
    words = run.stdout[:40].partition(b"\n")[0].decode("ascii", "replace").split()
    if run.returncode != 0 or len(words) != 3:
        raise OSError(f"the decoder ended with {run.returncode}")
    mode, width, height = words[0], int(words[1]), int(words[2])
    if mode == "TOO_MANY":
        raise TooLarge(f"{width}x{height}")
    return Image.frombytes(mode, (width, height), memoryview(run.stdout)[run.stdout.index(b"\n") + 1 :])


def _no_secrets() -> dict[str, str]:
    """The child handles strangers' bytes and needs none of our settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUOZI_")}


def _child(max_pixels: int, max_side: int) -> None:
    """Reads a file from standard input; writes "MODE WIDTH HEIGHT", a line end and the pixels."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only here: the parent never loads a library it does not trust.
    import pi_heif

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, below
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    with Image.open(BytesIO(sys.stdin.buffer.read()), formats=["HEIF"]) as picture:
        width, height = picture.size
        if max(width, height) > max_side or width * height > max_pixels:
            sys.stdout.buffer.write(f"TOO_MANY {width} {height}\n".encode())
            return
        ImageOps.exif_transpose(picture, in_place=True)
        plain = picture if picture.mode in ("L", "I;16", "RGB", "RGBA") else picture.convert("RGBA")
        sys.stdout.buffer.write(f"{plain.mode} {plain.width} {plain.height}\n".encode())
        sys.stdout.buffer.write(plain.tobytes())


if __name__ == "__main__":
    _child(int(sys.argv[1]), int(sys.argv[2]))
