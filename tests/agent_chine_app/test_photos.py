"""A telephone's photo becomes a small upright JPEG that says nothing of its place, or is refused in a sentence."""

import io
import random
import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from agent_chine_app import photos
from tests.photos import GPS, ORIENTATION, image, upload, with_place, written


def kept(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(photos.to_keep(upload(content)).read()))


def png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that say they are an image of this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\x00" * 1000)
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, body)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "MPO"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_is_kept_as_a_jpeg_whatever_it_was(form: str, mode: str):
    photo = kept(written(image(mode=mode), form))

    assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (400, 300))


@pytest.mark.parametrize(("size", "expected"), [((4000, 3000), (1600, 1200)), ((900, 4500), (320, 1600))], ids=repr)
def test_a_large_photo_is_made_small(size: tuple[int, int], expected: tuple[int, int]):
    assert kept(written(image(*size))).size == expected


def test_a_photo_says_nothing_of_its_place_and_stands_upright():
    taken = written(image(), exif=with_place(orientation=6))
    assert Image.open(io.BytesIO(taken)).getexif().get_ifd(GPS)
    photo = kept(taken)

    assert photo.size == (300, 400)
    assert ORIENTATION not in photo.getexif()
    assert not photo.getexif().get_ifd(GPS)
    # What was on the left is on top.
    assert brightness(photo, (150, 20)) < brightness(photo, (150, 380))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photo_is_turned_as_viewers_turn_it(orientation: int):
    taken = written(image(), quality=95, exif=with_place(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(taken)))
    difference = ImageChops.difference(kept(taken), upright.convert("RGB"))

    assert ImageStat.Stat(difference).mean < [12, 12, 12]


def brightness(photo: Image.Image, at: tuple[int, int]) -> int:
    return photo.convert("L").resize((30, 40)).getpixel((at[0] // 10, at[1] // 10))  # type: ignore[return-value]


def test_what_is_transparent_becomes_white():
    assert kept(written(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG")).getpixel((25, 25)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JPEG"),
        (b"%PDF-1.7", "JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG"),
        (written(image(), "GIF"), "JPEG"),
        (written(image())[:3000], "JPEG"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 500, "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1" + b"\x00" * 500, "HEIC"),
        (png_that_claims(60_000, 60_000), "pixels"),
        (png_that_claims(9_000, 9_000), "pixels"),
    ],
    ids=["nothing", "pdf", "svg", "gif", "half a photo", "heic", "heif", "bomb", "smaller bomb"],
)
def test_what_is_no_photo_is_refused_in_a_sentence(content: bytes, said: str):
    with pytest.raises(photos.PhotoRefusal, match=said):
        photos.to_keep(upload(content))


def test_a_file_of_more_than_8_megabytes_is_refused(settings: Any):
    with pytest.raises(photos.PhotoRefusal, match="8,0"):
        photos.to_keep(upload(written(image()) + b"\x00" * settings.PHOTO_LIMIT))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of the camera's damaged notes
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_photo_is_kept_or_refused_and_nothing_else(form: str):
    chance = random.Random(form)
    whole = written(image(64, 48), form, exif=with_place(6))
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with suppress(photos.PhotoRefusal):
            assert kept(bytes(damaged)).format == "JPEG"


def test_a_photo_keeps_no_comment():
    assert "comment" not in kept(written(image(), comment=b"Awa, +223 76 12 34 56")).info


def test_what_is_no_jpeg_may_have_fewer_pixels():
    with pytest.raises(photos.PhotoRefusal, match="pixels"):
        photos.to_keep(upload(png_that_claims(6_000, 4_001)))
