"""The page of a run in headless Chromium: it loads without a complaint, its bars have a size, it fits a phone, and hostile names stay text.

Chromium is Debian's. It is installed here when it is absent and apt can bring it; otherwise the tests are skipped and say so.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest
from ansible_collections.stratus.cloud.plugins.plugin_utils.report.page import page

from tests.support.runs import run
from tests.unit.plugins.test_report import HOSTILE, poisoned

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
]
# What the browser made of the page, written into the page: a script of the test's own, which the page's policy would not let in.
PROBE = """
<script>
addEventListener("load", () => {
  const box = element => element.getBoundingClientRect();
  const bars = [...document.querySelectorAll("svg rect")];
  const told = {
    bars: bars.length, seen: bars.filter(bar => box(bar).width >= 1 && box(bar).height >= 1).length,
    rows: document.querySelectorAll(".row").length, cards: document.querySelectorAll(".card").length,
    paper: getComputedStyle(document.body).backgroundColor,
    tooWide: [...document.querySelectorAll("body *")]
      .filter(element => !element.closest(".scroll, .theme, svg") && box(element).right > innerWidth + 1).map(element => element.className || element.tagName),
    small: [...document.querySelectorAll(".row .label")].filter(e => parseFloat(getComputedStyle(e).fontSize) < 11).length,
    hidden: [...document.querySelectorAll("section")].filter(e => box(e).height < 20).length,
  };
  const out = document.createElement("pre"); out.id = "told"; out.textContent = JSON.stringify(told); document.body.append(out);
});
</script>
"""


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], timeout=300, **quiet)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"], timeout=600, **quiet)
        found = shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not installed, and apt cannot bring it here")
    return found


@pytest.fixture
def browser(chromium, tmp_path):
    """Opens a page; returns (what the console said, the document as it became)."""

    def look(text, *flags):
        (tmp_path / "page.html").write_text(text)
        argv = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, "--dump-dom", f"file://{tmp_path / 'page.html'}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-2000:]
        return [line for line in done.stderr.splitlines() if "CONSOLE" in line], done.stdout

    return look


def measured(browser, text, *flags):
    """What the probe told of a page that lets it in."""
    console, document = browser(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", f"{PROBE}</body>"), *flags)
    assert not console, console
    return json.loads(html.unescape(re.search(r'<pre id="told">(.*?)</pre>', document, re.S).group(1)))


def test_it_loads_without_a_complaint(browser):
    console, document = browser(page(run(), run()))
    assert not console, console
    assert document.count("<rect") >= 20


def test_bars_rows_and_cards_are_there_to_be_seen(browser):
    told = measured(browser, page(run(), run()), "--window-size=1280,1600")
    assert told["bars"] == told["seen"] >= 20, told
    assert told["rows"] == 3 + 1 + 1 + 1 + 2 + 2
    assert told["cards"] == 3
    assert not told["hidden"] and not told["tooWide"], told


def test_it_fits_a_phone_in_the_dark(browser):
    dark = page(run(), run()).replace('id="theme-auto" checked', 'id="theme-auto"').replace('id="theme-dark"', 'id="theme-dark" checked')
    told = measured(browser, dark, "--window-size=500,900")
    assert told["bars"] == told["seen"], told
    assert not told["tooWide"] and not told["small"], told
    assert told["paper"] == "rgb(20, 23, 28)", "the choice of colours works without a script"


def test_hostile_names_stay_text(browser):
    told = measured(browser, page(poisoned(" ".join(HOSTILE)), run()), "--window-size=1280,1600")
    assert told["bars"] == told["seen"] >= 20
    console, document = browser(page(poisoned(" ".join(HOSTILE)), run()))
    assert not console, console
    assert "<script" not in document and "<img" not in document
