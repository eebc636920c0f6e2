"""The documents of SPEKE v2: CPIX 2.3 with the keys in clear, as TLS protects them."""

import base64
import re
import struct
from collections.abc import Iterator
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError, SubElement, register_namespace, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from activities.drm.config import content_key
from activities.drm.key import ALL, AUDIO, IV_BYTES, QUALITIES, ContentKey, DrmError, Scheme

CPIX, PSKC = "urn:dashif:org:cpix", "urn:ietf:params:xml:ns:keyprov:pskc"
WIDEVINE = UUID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
PLAYREADY = UUID("9a04f079-9840-4286-ab92-e65be0885f95")
FAIRPLAY = UUID("94ce86fb-07ff-4f43-adb8-93d2fa968ca2")
PSSH_HEADER = struct.Struct(">I4sI16s")
"""Size, name, version and flags, system."""
FAIRPLAY_URI = re.compile(r'URI="(skd://[!#-~]+)"')

register_namespace("cpix", CPIX)
register_namespace("pskc", PSKC)


def request(content_id: str, wanted: dict[str, UUID], scheme: Scheme, iv: bytes | None) -> bytes:
    """Ask for a key for each label, and for what the DRM systems want to be told in streams and manifests."""
    root = Element(_cpix("CPIX"), {"contentId": content_id, "version": "2.3"})
    key_list = SubElement(root, _cpix("ContentKeyList"))
    systems = SubElement(root, _cpix("DRMSystemList"))
    rules = SubElement(root, _cpix("ContentKeyUsageRuleList"))
    explicit = {"explicitIV": base64.b64encode(iv).decode()} if iv else {}
    for label, kid in wanted.items():
        SubElement(key_list, _cpix("ContentKey"), {"kid": str(kid), "commonEncryptionScheme": scheme} | explicit)
        _add_systems(systems, kid, scheme)
        _add_rule(rules, kid, label)
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _add_systems(systems: Element, kid: UUID, scheme: Scheme) -> None:
    for system in (WIDEVINE, PLAYREADY):
        element = SubElement(systems, _cpix("DRMSystem"), kid=str(kid), systemId=str(system))
        SubElement(element, _cpix("PSSH"))
    if scheme == "cbcs":  # of the others, HLS tells what is in the box
        element = SubElement(systems, _cpix("DRMSystem"), kid=str(kid), systemId=str(FAIRPLAY))
        for playlist in ("media", "master"):
            SubElement(element, _cpix("HLSSignalingData"), playlist=playlist)


def _add_rule(rules: Element, kid: UUID, label: str) -> None:
    rule = SubElement(rules, _cpix("ContentKeyUsageRule"), kid=str(kid), intendedTrackType=label)
    if label in (AUDIO, ALL):
        SubElement(rule, _cpix("AudioFilter"))
    if label != AUDIO:
        SubElement(rule, _cpix("VideoFilter"), _sizes(label))


def _sizes(label: str) -> dict[str, str]:
    least = 0
    for quality, most in QUALITIES.items():
        if quality == label:
            lower = {"minPixels": str(least)} if least else {}
            return lower | ({"maxPixels": str(most)} if most else {})
        least = (most or 0) + 1
    return {}


def keys(document: bytes, wanted: dict[str, UUID], iv: bytes | None) -> Iterator[ContentKey]:
    """The wanted keys in the answer to a request that named `iv`.

    Raises:
        DrmError: it holds not all of them, or is no CPIX document.
    """
    root = _parsed(document)
    for label, kid in wanted.items():
        element = _of(root, "ContentKey", kid)
        if element is None:
            raise DrmError(f"the key service's answer has no key {kid}; it must not change key ids")
        yield ContentKey(label, kid, _key(element), iv and _iv(element, iv), tuple(_boxes(root, kid)), _uri(root, kid))


def _parsed(document: bytes) -> Element:
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise DrmError("the key service's answer is not a CPIX document; check ApiUrl") from None
    if root.tag != _cpix("CPIX"):
        raise DrmError("the key service's answer is not a CPIX document; check ApiUrl")
    if root.find(_cpix("DeliveryDataList")) is not None:
        raise DrmError("the key service encrypts the keys in its answer, which is not supported; turn that off there")
    return root


def _of(root: Element, name: str, kid: UUID, system: UUID | None = None) -> Element | None:
    for element in root.iter(_cpix(name)):
        if _is(element.get("kid"), kid) and (system is None or _is(element.get("systemId"), system)):
            return element
    return None


def _is(text: str | None, value: UUID) -> bool:
    return (text or "").lower() == str(value)


def _key(element: Element) -> bytes:
    text = "".join((element.findtext(f".//{{{PSKC}}}PlainValue") or "").split())
    if not text:
        raise DrmError(f"the key service's answer holds no readable value of the key {element.get('kid')}")
    try:
        return content_key(text)
    except ValueError as error:
        raise DrmError(f"the key service's answer: the key {element.get('kid')} {error}") from None


def _iv(element: Element, asked: bytes) -> bytes:
    told = element.get("explicitIV")
    iv = _decoded(told, "explicitIV") if told else asked
    if len(iv) != IV_BYTES:
        raise DrmError(f"the key service's answer: explicitIV holds {len(iv)} bytes instead of {IV_BYTES}")
    return iv


def _boxes(root: Element, kid: UUID) -> Iterator[bytes]:
    for system in (WIDEVINE, PLAYREADY):
        element = _of(root, "DRMSystem", kid, system)
        text = element.findtext(_cpix("PSSH")) if element is not None else None
        if text and text.strip():
            box = _decoded(text, "PSSH")
            if system_of(box) != system:
                raise DrmError(f"the key service's answer: PSSH of the system {system} is not its box")
            yield box


def system_of(box: bytes) -> UUID | None:
    """Whose PSSH box it is; None = it is none."""
    if len(box) < PSSH_HEADER.size:
        return None
    size, name, _, system = PSSH_HEADER.unpack_from(box)
    return UUID(bytes=system) if size == len(box) and name == b"pssh" else None


def _uri(root: Element, kid: UUID) -> str | None:
    element = _of(root, "DRMSystem", kid, FAIRPLAY)
    for data in element.iter(_cpix("HLSSignalingData")) if element is not None else ():
        text = _decoded(data.text or "", "HLSSignalingData").decode(errors="replace")
        if found := FAIRPLAY_URI.search(text):
            return found[1]
    return None


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise DrmError(f"the key service's answer: {what} is not base64") from None


def _cpix(name: str) -> str:
    return f"{{{CPIX}}}{name}"
