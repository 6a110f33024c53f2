"""Photos as telephones make them."""

import io
import random
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

ORIENTATION, GPS = 0x0112, 0x8825


def image(width: int = 400, height: int = 300, mode: str = "RGB") -> Image.Image:
    """Dark on the left, light on the right, with the grain of a real photo."""
    random.seed(1)
    grain = Image.frombytes("L", (width // 4, height // 4), random.randbytes(width // 4 * (height // 4)))
    slope = Image.linear_gradient("L").rotate(90).resize((width, height))
    return Image.blend(slope, grain.resize((width, height)), 0.3).convert(mode)


def written(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def with_place(orientation: int = 1) -> Image.Exif:
    """What a camera writes into a photo: how it was held, and where."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(GPS).update({1: "N", 2: (12.0, 38.0, 21.0), 3: "W", 4: (8.0, 0.0, 10.0)})
    return exif


def upload(content: bytes, name: str = "IMG_0001.JPG", kind: str = "image/jpeg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)
