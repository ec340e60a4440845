"""Opens a report in headless Chromium and checks what only a browser can tell.

    python3 tests/browser/check_report.py REPORT.html [--screenshots DIR]

The page must open without a console error and without a request to anything but its own file; every
figure must have marks and labelled axes; nothing may stand out of a window of 420 or 1600 pixels. Plots
must leave as SVG, PNG and CSV, be readable on a dark page, and be drawn on paper. What fails is printed,
one line each, and the exit status is 1.

Needs Chromium and its driver (Debian: chromium, chromium-driver) and tests/browser/requirements.txt.
CHROMIUM and CHROMEDRIVER name them where they are elsewhere.
"""

import argparse
import base64
import csv
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
  rows: figure.querySelectorAll('table tbody tr').length,
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


PARTS = "#summary, #prompts, figure, #methods, #provenance"

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
    """Marks and labelled axes in every plot; words and SQL in every figure, whether it plots or tabulates."""
    failures = []
    for figure in browser.execute_script(FIGURES):
        name = f"figure {figure['title']!r}"
        if not figure["title"]:
            failures.append("a figure has no title")
        has_data = figure["plots"] > 0 or figure["rows"] > 0
        if not has_data and figure["gaps"] == 0:
            failures.append(f"{name} has neither a plot nor a table nor a reason for their absence")
        if has_data and not figure["takeaway"]:
            failures.append(f"{name} says nothing")
        if has_data and figure["sql"] == 0:
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


# The first plot of lines and the first heat map.
SAVED_PLOTS = """
const plots = [...document.querySelectorAll('.plot')];
const isMap = (plot) => plot.querySelector('.heatmaplayer image') !== null;
const first = (wanted) => plots.find((plot) => isMap(plot) === wanted);
return [first(false), first(true)].filter(Boolean).map((plot) => plot.id);
"""

PRESS = """
document.querySelector(`button[data-save="${arguments[1]}"][aria-controls="${arguments[0]}"]`).click();
"""

POINTS = """
const plot = document.getElementById(arguments[0]);
const {data} = JSON.parse(document.getElementById(plot.id + '-data').textContent);
return data.reduce((n, t) => n + (t.type === 'heatmap' ? t.z.flat().length : t.fill === 'toself' ? 0 : t.x.length), 0);
"""

# Luminance contrast (WCAG) of every drawn line, point and axis title with the page; the least.
CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const luminance = (c) => c.slice(0, 3).map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const page = luminance(rgb(getComputedStyle(document.body).backgroundColor));
const contrast = (color) => {
  const own = luminance(rgb(color));
  return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05);
};
const marks = [...document.querySelectorAll('.scatterlayer path.js-line')].filter((n) => n.getAttribute('d'));
const titles = [...document.querySelectorAll('.xtitle, .ytitle')];
const least = (nodes, property) => Math.min(...nodes.map((n) => contrast(getComputedStyle(n)[property])));
return {page, marks: least(marks, 'stroke'), titles: least(titles, 'fill')};
"""


def check_saving(browser: webdriver.Chrome, directory: Path) -> list[str]:
    """A plot of lines and a heat map, saved in every format."""
    settings = {"behavior": "allow", "downloadPath": str(directory)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    failures = []
    for plot in browser.execute_script(SAVED_PLOTS):
        for form in ("svg", "png", "csv"):
            before = set(directory.iterdir())
            browser.execute_script(PRESS, plot, form)
            deadline = time.monotonic() + 20
            new: list[Path] = []
            while not new and time.monotonic() < deadline:
                time.sleep(0.1)
                new = [p for p in directory.iterdir() if p not in before and p.suffix == f".{form}"]
            if not new:
                failures.append(f"{plot} was not saved as {form}")
                continue
            time.sleep(0.2)
            content = new[0].read_bytes()
            if form == "csv":
                rows = list(csv.reader(content.decode().splitlines()))
                n_points = browser.execute_script(POINTS, plot)
                if len(rows) != n_points + 1 or len({len(row) for row in rows}) != 1:
                    failures.append(f"{plot} has {n_points} points and {len(rows) - 1} rows in its table")
            elif (form == "png" and not content.startswith(b"\x89PNG")) or (form == "svg" and b"<svg" not in content):
                failures.append(f"{plot} was saved as something that is no {form}")
    return failures


def check_dark(browser: webdriver.Chrome, screenshots: Path | None, name: str) -> list[str]:
    """Lines and titles stand out from a dark page; changing back leaves the light page as it was."""
    feature = [{"name": "prefers-color-scheme", "value": "dark"}]
    light = browser.execute_script(CONTRAST)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    time.sleep(1.5)
    dark = browser.execute_script(CONTRAST)
    if screenshots:
        screenshot(browser, screenshots / f"{name}-dark-top.png")
        for number in (1, 2, 3, 5):
            screenshot(browser, screenshots / f"{name}-dark-{number:02}.png", PARTS, number)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    time.sleep(1.5)
    failures = [] if dark["page"] < 0.05 < light["page"] else ["a dark page is not dark"]
    failures += [
        f"on a {shade} page the {what} have a contrast of {found[what]:.1f}"
        for shade, found in (("light", light), ("dark", dark))
        for what, least in (("marks", 1.9), ("titles", 4.5))
        if found[what] is None or found[what] < least
    ]
    if browser.execute_script(CONTRAST) != light:
        failures.append("a page that was dark does not become light again")
    return failures


def check_print(browser: webdriver.Chrome, screenshots: Path | None, name: str) -> list[str]:
    """Everything is unfolded and drawn on paper, and no wider than it."""
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'));")
    time.sleep(2.0)
    failures = []
    if left := browser.execute_script(UNDRAWN):
        failures.append(f"{left} plots are not drawn on paper")
    wide = browser.execute_script(
        "return [...document.querySelectorAll('.plot .main-svg')].filter((n) => "
        "n.getBoundingClientRect().width > n.closest('.panel').getBoundingClientRect().width + 1).length;"
    )
    if wide:
        failures.append(f"{wide} plots are wider than their panel on paper")
    page = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    if screenshots:
        (screenshots / f"{name}.pdf").write_bytes(base64.b64decode(page["data"]))
    browser.execute_script("window.dispatchEvent(new Event('afterprint'));")
    return failures


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
            resize(browser, WIDTHS[0])
            draw_everything(browser)
            with tempfile.TemporaryDirectory() as directory:
                failures += check_saving(browser, Path(directory))
            failures += check_dark(browser, screenshots, report.stem)
            failures += check_print(browser, screenshots, report.stem)
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
