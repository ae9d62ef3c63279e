"""Look at pages in a real Chromium and print what is found as JSON: `look_at_pages.py CHROMIUM PAGE...`.

Runs alone, with a Python that has Playwright and axe-core (`make test-pages`).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
VARIANTS = [(1400, "light"), (390, "dark"), (1400, "dark"), (390, "light")]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Pairs of texts in a plot that share some area, and labels that lie on an interval or a mark; sizes of text on screen.
PLOTS = """() => {
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const found = {overlapping: [], covered: [], smallest_px: null, labels: 0};
  for (const plot of document.querySelectorAll('svg.plot')) {
    const texts = [...plot.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
    texts.forEach(([one, a], i) => texts.slice(i + 1).forEach(([other, b]) => {
      if (meet(a, b)) found.overlapping.push([one, other]);
    }));
    for (const label of plot.querySelectorAll('.label')) {
      found.labels += 1;
      for (const other of plot.querySelectorAll('.interval, .mark, .cross'))
        if (meet(label.getBoundingClientRect(), other.getBoundingClientRect())) found.covered.push(label.textContent);
    }
    const scale = plot.getBoundingClientRect().width / plot.viewBox.baseVal.width;
    for (const text of plot.querySelectorAll('text')) {
      const size = parseFloat(getComputedStyle(text).fontSize) * scale;
      if (found.smallest_px === null || size < found.smallest_px) found.smallest_px = size;
    }
  }
  return found;
}"""
SCROLLERS = """() => [...document.querySelectorAll('*')].filter(e => e.checkVisibility()
  && e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
  && e.tabIndex < 0).map(e => e.outerHTML.slice(0, 80))"""
OPENED = """() => { const target = document.querySelector(':target');
  return target === null ? null : target.checkVisibility() && target.getBoundingClientRect().top < innerHeight }"""


def look(browser, path: Path, variants: list[tuple[int, str]]) -> dict:
    found: dict = {"variants": [], "requests": [], "complaints": []}
    for width, scheme in variants:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.on("request", lambda request: found["requests"].append(request.url))
        page.on("console", lambda message: found["complaints"].append(message.text))
        page.goto(path.as_uri())
        seen = {"width": width, "scheme": scheme, "overflow": page.evaluate(OVERFLOW)}
        seen["plots"] = page.evaluate(PLOTS)
        links = page.locator("table.grid td a:visible")
        if links.count():
            links.last.click()
            seen["opened"] = page.evaluate(OPENED)
        page.evaluate("document.querySelectorAll('details').forEach((e, i) => { e.open = i < 8 })")
        seen["overflow_open"] = page.evaluate(OVERFLOW)
        seen["unreachable"] = page.evaluate(SCROLLERS)
        page.evaluate(AXE)
        result = page.evaluate("axe.run()")
        seen["axe"] = [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
            for each in result["violations"]
        ]
        found["variants"].append(seen)
        if (width, scheme) == VARIANTS[0]:
            page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = false })")
            pdf = page.pdf(prefer_css_page_size=True, print_background=True)
            found["printed_pages"] = len(re.findall(rb"/Type\s*/Page\b", pdf))
        context.close()
    return found


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        found = {}
        for number, name in enumerate(sys.argv[2:]):  # the first two in all variants
            found[name] = look(browser, Path(name), VARIANTS if number < 2 else VARIANTS[:2])
        print(json.dumps(found))
        browser.close()


if __name__ == "__main__":
    main()
