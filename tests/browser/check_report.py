"""Opens a report in headless Chromium and checks what only a browser can tell.

    python3 tests/browser/check_report.py REPORT.html [--screenshots DIR]

The page must open without a console error and without a request to anything but its own file; every
figure must have marks and labelled axes; nothing may stand out of a window of 420 or 1600 pixels. What
fails is printed, one line each, and the exit status is 1.

Needs Chromium and its driver (Debian: chromium, chromium-driver) and tests/browser/requirements.txt.
CHROMIUM and CHROMEDRIVER name them where they are elsewhere.
"""

import argparse
import base64
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WIDTHS = (1600, 420)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)

OPEN_ALL = """
document.querySelectorAll('details.secondary').forEach((d) => { d.open = true; });
const step = window.innerHeight;
return Math.ceil(document.documentElement.scrollHeight / step);
"""

UNDRAWN = "return document.querySelectorAll('.plot:not([data-drawn])').length;"

# For every plot: its heading, its axes' titles as drawn, and the number of its marks.
PLOTS = """
return [...document.querySelectorAll('.plot')].map((plot) => {
  const text = (selector) => [...plot.querySelectorAll(selector)].map((n) => n.textContent.trim()).join('');
  const lines = [...plot.querySelectorAll('.scatterlayer .trace')];
  const drawn = (node) => node && node.getAttribute('d') && node.getAttribute('d').length > 4;
  const strokes = lines.filter((t) => drawn(t.querySelector('path.js-line')) || t.querySelector('.points path'));
  const maps = plot.querySelectorAll('.heatmaplayer image').length;
  const box = plot.getBoundingClientRect();
  return {
    id: plot.id,
    figure: plot.closest('figure').querySelector('h4').textContent.trim(),
    panel: plot.parentElement.querySelector('h5').textContent.trim(),
    label: plot.getAttribute('aria-label') || '',
    x: text('.xtitle'), y: text('.ytitle'),
    marks: strokes.length + maps,
    width: box.width, height: box.height,
  };
});
"""

FIGURES = """
return [...document.querySelectorAll('figure')].map((figure) => ({
  title: (figure.querySelector('h4') || {textContent: ''}).textContent.trim(),
  takeaway: (figure.querySelector('.takeaway') || {textContent: ''}).textContent.trim(),
  plots: figure.querySelectorAll('.plot').length,
  gaps: figure.querySelectorAll('.gap').length,
  sql: figure.querySelectorAll('details.sql code').length,
}));
"""

OVERFLOW = """
const width = document.documentElement.clientWidth;
const scrolls = (node) => {
  for (let n = node.parentElement; n; n = n.parentElement) {
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(n).overflowX)) return true;
  }
  return false;
};
const out = [...document.querySelectorAll('main *, nav *')].filter((node) => {
  const box = node.getBoundingClientRect();
  return box.width > 0 && box.right > width + 1 && !node.closest('svg') && !node.closest('.skip') && !scrolls(node);
});
return {
  page: document.documentElement.scrollWidth, window: width,
  nodes: out.slice(0, 5).map((n) => n.tagName.toLowerCase() + '.' + n.className),
};
"""


PARTS = "#summary, figure, #provenance"

BOX = """
const box = document.querySelectorAll(arguments[0])[arguments[1]].getBoundingClientRect();
return {x: box.x + window.scrollX - 8, y: box.y + window.scrollY - 8, width: box.width + 16, height: box.height + 16, scale: 1};
"""


def start(profile: str) -> webdriver.Chrome:
    """A browser without a past and, as far as its flags can say, without a network of its own."""
    options = Options()
    options.binary_location = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver") or "/usr/bin/chromedriver"
    return webdriver.Chrome(options=options, service=Service(driver))


def resize(browser: webdriver.Chrome, width: int) -> None:
    """Sets the width of the page itself: a window cannot be as narrow as a phone."""
    metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def draw_everything(browser: webdriver.Chrome) -> int:
    """Unfolds and scrolls through the page, as a reader would; the number of plots that stay undrawn."""
    n_screens = browser.execute_script(OPEN_ALL)
    for screen in range(n_screens + 2):
        browser.execute_script("window.scrollTo(0, arguments[0] * window.innerHeight);", screen)
        time.sleep(0.05)
    deadline = time.monotonic() + 60
    while (left := browser.execute_script(UNDRAWN)) and time.monotonic() < deadline:
        browser.execute_script("document.querySelector('.plot:not([data-drawn])')?.scrollIntoView();")
        time.sleep(0.2)
    browser.execute_script("window.scrollTo(0, 0);")
    time.sleep(0.3)
    return left


def check_plots(browser: webdriver.Chrome) -> list[str]:
    """Marks and labelled axes in every plot; words and SQL in every figure."""
    failures = []
    for figure in browser.execute_script(FIGURES):
        name = f"figure {figure['title']!r}"
        if not figure["title"]:
            failures.append("a figure has no title")
        if figure["plots"] == 0 and figure["gaps"] == 0:
            failures.append(f"{name} has neither a plot nor a reason for its absence")
        if figure["plots"] > 0 and not figure["takeaway"]:
            failures.append(f"{name} says nothing")
        if figure["plots"] > 0 and figure["sql"] == 0:
            failures.append(f"{name} has no SQL")
    for plot in browser.execute_script(PLOTS):
        name = f"plot {plot['id']} ({plot['figure']} / {plot['panel']})"
        if plot["marks"] == 0:
            failures.append(f"{name} has no marks")
        failures += [f"{name} has no title at its {axis} axis" for axis in ("x", "y") if not plot[axis]]
        if not plot["label"]:
            failures.append(f"{name} has no label for screen readers")
        if plot["width"] < 100 or plot["height"] < 100:
            failures.append(f"{name} is {plot['width']:.0f} by {plot['height']:.0f} pixels")
    return failures


def check_overflow(browser: webdriver.Chrome, width: int) -> list[str]:
    """Nothing stands out at the right."""
    found = browser.execute_script(OVERFLOW)
    if found["page"] <= found["window"] and not found["nodes"]:
        return []
    return [f"at {width} pixels the page is {found['page']} wide; standing out: {found['nodes']}"]


def check_logs(browser: webdriver.Chrome, address: str) -> list[str]:
    """Errors on the console, and every request but the one for the page itself."""
    failures = [
        f"console: {entry['message']}"
        for entry in browser.get_log("browser")
        if entry["level"] in ("SEVERE", "WARNING")
    ]
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] != "Network.requestWillBeSent":
            continue
        url = message["params"]["request"]["url"]
        if url != address and not url.startswith(("data:", "blob:", "about:")):
            failures.append(f"request: {url[:200]}")
    return failures


def screenshot(browser: webdriver.Chrome, path: Path, selector: str = "", number: int = 0) -> None:
    """The window, or one part of the page, as a picture."""
    settings = {"format": "png"}
    if selector:
        settings["captureBeyondViewport"] = True
        settings["clip"] = browser.execute_script(BOX, selector, number)
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", settings)
    path.write_bytes(base64.b64decode(picture["data"]))


def check(report: Path, screenshots: Path | None) -> list[str]:
    """All checks on one report; what fails."""
    address = report.resolve().as_uri()
    failures = []
    with tempfile.TemporaryDirectory() as profile:
        browser = start(profile)
        try:
            # What the browser's own first page did is not the report's doing.
            browser.get("about:blank")
            for log in ("browser", "performance"):
                browser.get_log(log)
            for width in WIDTHS:
                resize(browser, width)
                began = time.monotonic()
                browser.get(address)
                opened_ms = (time.monotonic() - began) * 1000
                print(f"{report.name}: opened in {opened_ms:.0f} ms at {width} pixels", file=sys.stderr)
                if screenshots:
                    time.sleep(1.0)
                    screenshots.mkdir(parents=True, exist_ok=True)
                    screenshot(browser, screenshots / f"{report.stem}-{width}-top.png")
                if undrawn := draw_everything(browser):
                    failures.append(f"at {width} pixels {undrawn} plots were not drawn")
                failures += check_plots(browser)
                failures += check_overflow(browser, width)
                if screenshots:
                    for number in range(len(browser.find_elements("css selector", PARTS))):
                        path = screenshots / f"{report.stem}-{width}-{number:02}.png"
                        screenshot(browser, path, PARTS, number)
            failures += check_logs(browser, address)
        finally:
            browser.quit()
    return list(dict.fromkeys(failures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.html")
    parser.add_argument("--screenshots", type=Path, metavar="DIR", help="keep pictures of the page's parts here")
    arguments = parser.parse_args()
    failures = []
    for report in arguments.reports:
        if not report.is_file():
            parser.error(f"there is no file {report}")
        failures += [f"{report.name}: {failure}" for failure in check(report, arguments.screenshots)]
    for failure in failures:
        print(failure)
    print(f"{len(failures)} failures" if failures else "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
