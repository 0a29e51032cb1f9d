"""Reading measured patterns: the formats of laboratories, and files that must be refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matwright.api.match.pattern_file import read_pattern
from matwright.errors import InputError

ANGLES = np.arange(10.0, 40.0, 0.1)
COUNTS = np.round(100 + 1000 * np.exp(-(((ANGLES - 25) / 0.3) ** 2)))

XRDML = """<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5">
 <xrdMeasurement measurementType="Scan">
  <usedWavelength intended="K-Alpha"><kAlpha1 unit="Angstrom">1.5405980</kAlpha1>
   <kAlpha2 unit="Angstrom">1.5444260</kAlpha2><ratioKAlpha2KAlpha1>0.5000</ratioKAlpha2KAlpha1></usedWavelength>
  <scan appendNumber="0" scanAxis="Gonio"><dataPoints>
   <positions axis="2Theta" unit="deg">
    <startPosition>{start}</startPosition><endPosition>{end}</endPosition></positions>
   <positions axis="Omega" unit="deg"><startPosition>1</startPosition><endPosition>2</endPosition></positions>
   <commonCountingTime unit="seconds">10</commonCountingTime>
   <{tag} unit="counts">{values}</{tag}>
  </dataPoints></scan>
 </xrdMeasurement>
</xrdMeasurements>
"""


def xrdml(tag: str = "intensities") -> str:
    values = " ".join(f"{value:.0f}" for value in COUNTS)
    return XRDML.format(start=ANGLES[0], end=ANGLES[-1], tag=tag, values=values)


def lines(form: str) -> str:
    return "\n".join(form.format(a, c) for a, c in zip(ANGLES, COUNTS, strict=True)) + "\n"


TEXTS: dict[str, str] = {
    "plain.xy": lines("{:.3f} {:.1f}"),
    "errors.xye": lines("{:.3f}  {:.1f}  1.0"),
    "comments.dat": "# made by a diffractometer\n! second\n" + lines("{:.4f}\t{:.3e}"),
    "table.csv": "2theta,counts\n" + lines("{:.3f},{:.1f}"),
    "european.csv": "Winkel;Intensität\n" + lines("{:.3f};{:.1f}").replace(".", ","),
    "bom.txt": "\ufeffangle intensity\n" + lines("{:.3f} {:.1f}"),
    "falling.xy": "\n".join(reversed(lines("{:.3f} {:.1f}").splitlines())),
    "scan.xrdml": xrdml(),
    "counts.xrdml": xrdml("counts"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_formats_of_laboratories(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name], encoding="utf-8")
    found = read_pattern(path)
    np.testing.assert_allclose(found.two_theta, ANGLES, atol=1e-6)
    np.testing.assert_allclose(found.intensity, COUNTS, rtol=1e-3)
    assert found.name == name
    if name.endswith("xrdml"):
        assert found.wavelength == pytest.approx(1.54187, abs=1e-4)
    else:
        assert found.wavelength is None


def test_packed_and_utf16_files(tmp_path: Path) -> None:
    (tmp_path / "a.xy.gz").write_bytes(gzip.compress(TEXTS["plain.xy"].encode()))
    (tmp_path / "b.xy").write_text(TEXTS["plain.xy"], encoding="utf-16")
    for name in ("a.xy.gz", "b.xy"):
        np.testing.assert_allclose(read_pattern(tmp_path / name).intensity, COUNTS)


def test_equal_angles_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "twice.xy"
    path.write_text(TEXTS["plain.xy"] + lines("{:.3f} 0.0"))
    np.testing.assert_allclose(read_pattern(path).intensity, COUNTS / 2)


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("words.xy", "nothing here\nbut words\n", "no line with two numbers"),
        ("empty.xy", "", "no line with two numbers"),
        ("short.xy", "10 1\n11 2\n", "has 2 points"),
        ("broken.xy", TEXTS["plain.xy"] + "oops\n", "two numbers are expected"),
        ("q.xy", lines("{:.3f} {:.1f}").replace("10.", "510."), "2θ in degrees lies within"),
        ("flat.xy", "\n".join(f"{a:.2f} 7" for a in ANGLES), "every intensity is 7"),
        ("bomb.xrdml", BOMB, "defines a document type or entities"),
        ("outside.xrdml", OUTSIDE, "defines a document type or entities"),
        ("torn.xrdml", xrdml()[:-40], "no well-formed XML"),
        ("other.xrdml", "<html><body/></html>", "no scan over 2θ"),
        ("letters.xrdml", xrdml().replace("1100", "many"), "where numbers are expected"),
        ("binary.raw", "RAW1.01\0\0\0\0", "binary file"),
    ],
)
def test_what_is_no_pattern_is_refused_with_one_sentence(name: str, text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as caught:
        read_pattern(path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_pattern(tmp_path / "none.xy")


def test_two_scans_the_first_with_angles_counts(tmp_path: Path) -> None:
    both: Callable[[str], str] = lambda scan: xrdml().replace("<scan ", f"{scan}<scan ", 1)  # noqa: E731
    tilt = '<scan><dataPoints><positions axis="Psi"><startPosition>0</startPosition></positions>'
    tilt += "<intensities>1 2 3</intensities></dataPoints></scan>"
    path = tmp_path / "two.xrdml"
    path.write_text(both(tilt), encoding="utf-8")
    np.testing.assert_allclose(read_pattern(path).intensity, COUNTS)
