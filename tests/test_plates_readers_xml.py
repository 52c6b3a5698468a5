"""XML and name patterns of strangers: read in one stream, refused in a moment when hostile."""

import resource
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates import markup, name_patterns
from plates.markup import Record, records, tree
from plates.name_patterns import fits
from plates.problems import InputError

ENTITIES = "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)
)  # 10^11 laughs
HOSTILE = {
    "billion laughs": (
        f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]><x>&e11;</x>',
        "XML_FORBIDDEN.*DTD",
    ),
    "external DTD": (
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "XML_FORBIDDEN.*/etc/passwd.*remove the DTD",
    ),
    "external entity": (
        '<!DOCTYPE x [<!ENTITY y SYSTEM "http://127.0.0.1:9/z">]><x>&y;</x>',
        "XML_FORBIDDEN",
    ),
    "parameter entity": (
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]><x/>',
        "XML_FORBIDDEN",
    ),
    "undeclared entity": ("<x>&y;</x>", "XML_INVALID.*undefined entity"),
    "depth": ("<a>" * 1_000_000, "LIMIT_EXCEEDED.*depth=64"),
    "depth in a record": ("<Image>" + "<a>" * 1_000_000, "LIMIT_EXCEEDED.*depth=64"),
    "not closed": ("<x><Image>", r"XML_INVALID.*no element found.*line 1"),
    "empty": ("", "XML_INVALID"),
    "unknown encoding": (
        '<?xml version="1.0" encoding="klingon"?><x/>',
        "XML_INVALID",
    ),
    "no xml": ("%PDF-1.7 hello", "XML_INVALID"),
}


@pytest.mark.parametrize(("text", "match"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_refused_in_a_moment(
    tmp_path: Path, text: str, match: str
) -> None:
    path = tmp_path / "x.xml"
    path.write_text(text, encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(InputError, match=match):
        list(records(path, {"Image": ("URL",)}))
    with pytest.raises(InputError, match=match):
        tree(text, str(path))
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_sizes_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.xml"
    path.write_text(f"<x><Image>{'y' * 3_000_000}</Image></x>")
    monkeypatch.setattr(markup, "LONGEST_TEXT", 1000)
    with pytest.raises(InputError, match=r"LIMIT_EXCEEDED.*text longer"):
        list(records(path, {"Image": ()}))
    monkeypatch.setattr(markup, "LARGEST_FILE", 1000)
    with pytest.raises(InputError, match=r"LIMIT_EXCEEDED.*3000022 bytes"):
        list(records(path, {"Image": ()}))
    with pytest.raises(InputError, match="LIMIT_EXCEEDED"):
        tree(BytesIO(path.read_bytes()), "x")
    with pytest.raises(InputError, match="FILE_UNREADABLE"):
        list(records(tmp_path / "absent", {"Image": ()}))


def test_a_record_has_its_children_and_not_those_of_others(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(
        '<a:r xmlns:a="u"><a:Well><Image id="1"/></a:Well>'
        '<Image a:v="2"> <URL a="b"> x &amp; y </URL><Skip>z</Skip>'
        "<Deep><URL>w</URL></Deep></Image><Image>text</Image></a:r>"
    )
    found = list(records(path, {"Image": ("URL",), "Well": ()}))
    assert found == [
        Record("Well", {}),
        Record("Image", {"v": "2"}, {"URL": "x & y"}, [("URL", {"a": "b"})]),
        Record("Image", {}, text="text"),
    ]


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=20
).map(str.strip)


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(texts, max_size=8), encoding=st.sampled_from(["utf-8", "utf-16"])
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], encoding: str
) -> None:
    import xml.etree.ElementTree as ET

    root = ET.Element("root", xmlns="space")
    for value in values:
        ET.SubElement(ET.SubElement(root, "Image"), "URL").text = value
    path = tmp_path_factory.mktemp("xml") / "x.xml"
    path.write_bytes(ET.tostring(root, encoding=encoding))
    found = [record.texts["URL"] for record in records(path, {"Image": ("URL",)})]
    assert [" ".join(t.split()) for t in found] == [" ".join(v.split()) for v in values]


SLOW = {
    "nested": r"(?P<well>(\w+)+)\.tif",
    "alternatives": r"(?P<well>(a|a)*)\.tif",
    "many": r"(?P<well>.*).*.*.*.*.*.*.*.*x\.tif",
    "reference": r"(?P<well>\w+?)(\w+)(\2+)+\.tif",
}


@pytest.mark.parametrize("pattern", SLOW.values(), ids=SLOW)
def test_a_pattern_without_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr(name_patterns, "SECONDS", 0.4)
    with pytest.raises(InputError, match=r"PATTERN_SLOW.*aaaa.*simplify"):
        fits(pattern, ["a" * 200])


def test_a_pattern_with_repeated_groups_is_read_elsewhere() -> None:
    names = [f"A{n:02d}_x_y.tif" for n in range(1, 49)] * 50 + ["notes"]
    found = fits(r"(?P<well>[A-Z]\d+)(?:_[a-z])*\.tif", names)
    assert [row and row["well"] for row in found] == [
        *(name[:3] for name in names[:-1]),
        None,
    ]


def every_well() -> Iterator[str]:
    """All names from A01 to AF48."""
    rows = [chr(65 + n) for n in range(26)] + [f"A{c}" for c in "ABCDEF"]
    return (f"{row}{column:02d}" for row in rows for column in range(1, 49))


def test_every_well_of_the_largest_plate_is_read_by_name() -> None:
    wells = list(every_well())
    names = [f"P1_{well}_s3_w2.tif" for well in wells]
    pattern = (
        r"(?P<plate>P\d)_(?P<well>[A-Z]{1,2}\d\d)_s(?P<site>\d)_w(?P<channel>\d)\.tif"
    )
    found = fits(pattern, names)
    assert [row and row["well"] for row in found] == wells
    assert found[0] == {"plate": "P1", "well": "A01", "site": "3", "channel": "2"}
