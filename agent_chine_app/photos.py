"""Photos of parcels, as people send them and as we keep them."""

import io

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

FORMATS = ("JPEG", "PNG", "WEBP")
LONG_SIDE = 1600  # pixels
QUALITY = 80
# More than telephones make; a file of a few bytes can claim to be any size, and is not unpacked above this one.
MOST_PIXELS = 52_000_000
# What is no JPEG is unpacked in full.
MOST_PIXELS_IN_FULL = 24_000_000
# What stands behind “ftyp” in the files of iPhones and of their like.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
# How to turn a photo whose camera was held like this.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PhotoRefusal(ValueError):
    """This file cannot be a parcel's photo. The message says why, and what to do, for people."""


def to_keep(upload: "UploadedFile[bytes]") -> ContentFile[bytes]:
    """The photo as a small upright JPEG, without what the camera or its owner wrote into it.

    Raises PhotoRefusal when it is too large, or no photo.
    """
    size = upload.size or 0
    if size > settings.PHOTO_LIMIT:
        sizes = {"size": filesizeformat(size), "limit": filesizeformat(settings.PHOTO_LIMIT)}
        raise PhotoRefusal(
            _("This photo has %(size)s, more than the %(limit)s that are allowed. Take a smaller one.") % sizes
        )
    if _is_heic(upload):
        raise PhotoRefusal(
            _(
                "This is a HEIC photo, which cannot be read here. On an iPhone, choose Settings › Camera › Formats › "
                "Most Compatible, and take it again."
            )
        )
    try:
        return _as_small_jpeg(upload)
    except Image.DecompressionBombError as error:
        raise PhotoRefusal(_("This photo has too many pixels. Take a smaller one.")) from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for files that are broken or something else
        raise PhotoRefusal(_("This file is not a photo that can be read here. Choose a JPEG, PNG or WebP.")) from error


def _is_heic(upload: "UploadedFile[bytes]") -> bool:
    upload.seek(0)
    head = upload.read(12)
    upload.seek(0)
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS


def _as_small_jpeg(upload: "UploadedFile[bytes]") -> ContentFile[bytes]:
    with Image.open(upload, formats=FORMATS) as image:
        most = MOST_PIXELS if isinstance(image, JpegImageFile) else MOST_PIXELS_IN_FULL
        if image.width * image.height > most:
            raise Image.DecompressionBombError
        # A JPEG is unpacked no larger than needed.
        image.draft("RGB", (LONG_SIDE, LONG_SIDE))
        # Not ImageOps.exif_transpose(): it writes the camera's notes anew, and breaks on damaged ones.
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        upright = _on_white(image if turn is None else image.transpose(turn))
    upright.thumbnail((LONG_SIDE, LONG_SIDE))
    # Pillow would write the file's comment anew.
    upright.info.pop("comment", None)
    kept = io.BytesIO()
    upright.save(kept, "JPEG", quality=QUALITY, optimize=True)
    return ContentFile(kept.getvalue())


def _on_white(image: Image.Image) -> Image.Image:
    """The image in plain colours: what is transparent becomes white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper
