"""The page of a campaign: how its numbers read, and what a browser makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from campaign_toys import write_campaign

from matwright.api.campaign import load_campaign, run_campaign
from matwright.api.campaign.page import campaign_page, curve, rounded_html, write_report
from matwright.api.campaign.settings import StopSettings
from matwright.api.campaign.status import duration
from matwright.campaign.evaluator import Quantity


@pytest.mark.parametrize(
    ("value", "std", "text"),
    [
        (3.30928, 2.41, "3.3 ± 2.4"),
        (-3.03066, 0.0652, "−3.031 ± 0.065"),
        (134.48, 12.0, "134 ± 12"),
        (1344.8, 120.0, "1345 ± 120"),
        (60.6366, None, "60.64"),
        (-0.00004567, None, "−4.567 × 10<sup>−5</sup>"),
        (1.234e-6, 2.5e-7, "1.23 × 10<sup>−6</sup> ± 2.5 × 10<sup>−7</sup>"),
        (3e12, None, "3 × 10<sup>12</sup>"),
        (0.0, None, "0"),
        (5.0, 0.0, "5"),
    ],
)
def test_a_number_has_the_figures_that_its_error_bears(value: float, std: float | None, text: str) -> None:
    assert rounded_html(Quantity(value=value, unit="GPa", std=std)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (2e-5, "below 0.1 ms"),
        (0.0059, "5.9 ms"),
        (0.0996, "100 ms"),
        (0.15, "0.15 s"),
        (59.0, "59 s"),
        (90.0, "1.5 min"),
        (9000.0, "2.5 h"),
        (200000.0, "2.3 days"),
    ],
)
def test_a_time_is_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_curve_of_one_value_is_drawn() -> None:
    assert curve([(4.0, 7.0)], "best", "").count("<circle") == 1
    assert "nan" not in curve([(0.0, 0.0), (4.0, 0.0)], "hits", "hits")


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_campaign(write_campaign(tmp_path, rounds=5))
    ledger = run_campaign(settings).ledger
    assert "Candidates with an answer" in campaign_page(ledger, StopSettings(), {})
    monkeypatch.setattr("matwright.api.campaign.page._ROWS", 7)
    monkeypatch.setattr("matwright.api.campaign.page._CARDS", 2)
    page = campaign_page(ledger, StopSettings(), {})
    assert "The best 7 of 20 candidates with an answer" in page
    assert f"The hits, 2 of {len(ledger.hits)}, best first" in page
    assert page.count("<article") == 2


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """
<script>window.addEventListener("load", () => {
  const said = {};
  const table = [...document.querySelectorAll("table.sortable")].pop();
  const column = () => [...table.tBodies[0].rows].map(row => row.children[2].textContent);
  table.querySelectorAll("th button")[2].click();
  said.up = column().join(" ");
  table.querySelectorAll("th button")[2].click();
  said.down = column().join(" ");
  said.page = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  said.wide = [...document.querySelectorAll("article *")].filter(one => !one.closest("svg")
    && one.getBoundingClientRect().right > one.closest("article").getBoundingClientRect().right + 0.5).length;
  for (const [name, value] of Object.entries(said)) document.body.setAttribute("data-" + name, value);
});</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_sorts_the_table_and_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    ladder = '[[evaluator]]\nkind = "surrogate"\n\n[[evaluator]]\nkind = "lookup"\ntable = "known.csv"\n'
    settings = load_campaign(write_campaign(tmp_path, rounds=3, ladder=ladder))
    run_campaign(settings)
    page = write_report(settings, None)
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    words = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},2000"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    drawn = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    said = {name: unescape(value) for name, value in re.findall(r'data-(up|down|page|wide)="([^"]*)"', drawn)}
    values = [float(text) for text in said["up"].split()]
    assert len(values) == 12
    assert values == sorted(values)
    assert [float(text) for text in said["down"].split()] == values[::-1]
    assert (said["page"], said["wide"]) == ("0", "0")
