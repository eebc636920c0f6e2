"""Color: how samples stand for light, and the way from high dynamic range to the standard one."""

import re
from dataclasses import dataclass
from typing import Any

PQ, HLG = "smpte2084", "arib-std-b67"
MATRIX = {"rr": 1.6605, "rg": -0.5876, "rb": -0.0728, "gr": -0.1246, "gg": 1.1329, "gb": -0.0083}
MATRIX |= {"br": -0.0182, "bg": -0.1006, "bb": 1.1187}
"""From the primaries of BT.2020 to those of BT.709, in linear light (BT.2087)."""
LIGHT = {
    PQ: "100*pow(max(pow(val/maxval,1/78.84375)-0.8359375,0)"
    "/(18.8515625-18.6875*pow(val/maxval,1/78.84375)),1/0.1593017578125)",
    HLG: "10*pow(if(lte(val/maxval,0.5),pow(val/maxval,2)/3,"
    "(exp((val/maxval-0.55991073)/0.17883277)+0.28466892)/12),1.2)",
}
"""Light of a display by its signal, in 100 nits: the white of the standard range is 1. HLG: of one of 1000 nits."""
BRIGHTEST = 40
"""4000 nits become white; what is brighter is cut off."""
WHITE = 203
"""Nits of a white surface in high dynamic range (BT.2408)."""


@dataclass(frozen=True)
class Color:
    """Names are ffmpeg's; empty where the file does not say."""

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    bits: int = 8
    """Of a sample."""

    @property
    def is_hdr(self) -> bool:
        return self.transfer in LIGHT


def bits(pixel_format: str) -> int:
    """Of a sample: `yuv420p10le` and `p010le` have 10."""
    found = re.search(r"(?:p0?|gray)(\d+)[lb]e$", pixel_format)
    return int(found[1]) if found else 8


def tone_mapped(picture: Any, transfer: str) -> Any:
    """A picture of high dynamic range in BT.709: light, tone curve and primaries, then the signal again."""
    light = f"st(0,{LIGHT[transfer]})"
    curve = f"{light};maxval*min(1,ld(0)*(1+ld(0)/{BRIGHTEST**2})/(1+ld(0)))"  # Reinhard's, extended
    signal = "maxval*pow(val/maxval,1/2.4)"
    return (
        picture.filter("scale", in_color_matrix="bt2020")
        .filter("format", "gbrp16")
        .filter("lutrgb", r=curve, g=curve, b=curve)
        .filter("colorchannelmixer", **MATRIX)
        .filter("lutrgb", r=signal, g=signal, b=signal)
        .filter("scale", out_color_matrix="bt709", out_range="tv")
        .filter("format", "yuv420p10")
        .filter("setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709")
        .filter("sidedata", mode="delete", type="MASTERING_DISPLAY_METADATA")
        .filter("sidedata", mode="delete", type="CONTENT_LIGHT_LEVEL")
    )


def in_hdr(image: Any) -> Any:
    """An image with white at 255, as PQ with that white at 203 nits: otherwise it would blind."""
    light = f"st(0,pow({WHITE / 10_000}*pow(val/maxval,2.4),0.1593017578125))"
    signal = f"{light};maxval*pow((0.8359375+18.8515625*ld(0))/(1+18.6875*ld(0)),78.84375)"
    return image.filter("lutrgb", r=signal, g=signal, b=signal)
