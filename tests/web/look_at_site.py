"""Look at pages of a running `serve` in a real Chromium and print what is found as JSON:
`look_at_site.py CHROMIUM PLAN`, where PLAN is a JSON file: base, secret, paths, and shots (a folder, or "").

Runs alone, with a Python that has Playwright and axe-core (`make test-web`).
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
VARIANTS = [(1280, "light"), (768, "light"), (390, "light"), (390, "dark"), (1280, "dark")]
JUDGED = {(1280, "light"), (390, "dark")}  # by axe, which takes long
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SCROLLERS = """() => [...document.querySelectorAll('*')].filter(e => e.checkVisibility()
  && e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
  && e.tabIndex < 0 && !e.querySelector('a, button') && !['SELECT', 'TEXTAREA', 'INPUT'].includes(e.tagName))
  .map(e => e.outerHTML.slice(0, 80))"""
# What texts could have made: elements that do something, beside those of our own.
ACTIVE = """() => [...document.querySelectorAll('script, iframe, object, embed, img, style, base, meta[http-equiv],'
  + '[onclick], [onerror], [onload], [style]')].filter(e => !(e.tagName === 'SCRIPT' && (e.type === 'application/json'
  || new URL(e.src || 'x:', location).origin === location.origin)) && !e.closest('.uplot, .drawing'))
  .map(e => e.outerHTML.slice(0, 120))"""


FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SAID = """() => { const tip = document.querySelector('figure[data-chart] .tip');
  return tip !== null && !tip.hidden ? tip.textContent : '' }"""


class Looker:
    """One Chromium for all pages: each is loaded once with scripts, then made narrower and darker, and once without."""

    def __init__(self, browser, plan: dict) -> None:
        self.plan = plan
        self.open = self.context(browser, scripts=True)
        self.quiet = self.context(browser, scripts=False)

    def look(self, path: str) -> dict:
        """What is found on a page in each variant, and without scripts."""
        found: dict = {"variants": [], "outside": [], "complaints": [], "active": [], "pointed": None}
        page, base = self.open.new_page(), self.plan["base"]
        page.on("request", lambda r: None if r.url.startswith(base) else found["outside"].append(r.url))
        page.on("console", lambda message: self.note(message, found["complaints"]))
        page.on("pageerror", lambda error: found["complaints"].append(str(error)))
        page.on("dialog", lambda dialog: (found["complaints"].append("a dialog"), dialog.dismiss()))
        answer = page.goto(base + path)
        found |= {"status": answer.status, "bytes": len(answer.body()), "active": page.evaluate(ACTIVE)}
        found["live_plots"] = page.locator(".live-plot canvas:visible").count()
        page.evaluate(
            "getSelection().selectAllChildren(document.querySelector('h1'))"
        )  # no page reloads itself then
        scheme = "light"
        for width, wanted in VARIANTS:
            if wanted != scheme:
                scheme = wanted
                page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            for _ in range(60):  # until it is laid out anew, which a busy machine puts off
                page.evaluate(FRAMES)
                if page.evaluate("innerWidth") == width and page.evaluate(OVERFLOW) == 0:
                    break
            found["variants"].append(self.variant(page, path, width, scheme))
        found["pointed"] = self.point(page)
        page.close()
        page = self.quiet.new_page()
        page.goto(base + path)
        found["text_without_scripts"] = len(page.inner_text("main"))
        found["drawings_without_scripts"] = page.locator(".drawing svg:visible").count()
        page.close()
        return found

    def context(self, browser, *, scripts: bool):
        return browser.new_context(
            viewport={"width": 1280, "height": 900},
            color_scheme="light",
            java_script_enabled=scripts,
            extra_http_headers={"Authorization": f"Bearer {self.plan['secret']}"},
        )

    @staticmethod
    def point(page) -> str | None:
        """Point at the first chart until it says something, opening it where that needs a button; what it said."""
        figure = page.locator("figure[data-chart]").first
        if not figure.count():
            return None
        if figure.locator("button").count():
            figure.locator("button").click()
        page.evaluate(FRAMES)
        over = figure.locator(".u-over")
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        for y in range(6, int(box["height"]), 24):
            for x in range(6, int(box["width"]), 24):
                page.mouse.move(box["x"] + x, box["y"] + y)
                if said := page.evaluate(SAID):
                    return said
        return ""

    @staticmethod
    def note(message, complaints: list[str]) -> None:
        if message.type in {"error", "warning"}:  # not the browser's advice
            complaints.append(message.text)

    def variant(self, page, path: str, width: int, scheme: str) -> dict:
        """One size and theme."""
        seen = {"width": width, "scheme": scheme, "overflow": page.evaluate(OVERFLOW), "axe": None}
        if self.plan["shots"]:
            name = re.sub(r"[^\w]+", "-", path).strip("-") or "home"
            file = Path(self.plan["shots"]) / f"{name[:60]}-{width}-{scheme}.png"
            page.screenshot(path=str(file), full_page=True)
        opened = "document.querySelectorAll('details:not([open])')"
        page.evaluate(f"window.opened = [...{opened}]; window.opened.forEach(e => {{ e.open = true }})")
        seen["overflow_open"] = page.evaluate(OVERFLOW)
        seen["unreachable"] = page.evaluate(SCROLLERS)
        if (width, scheme) in JUDGED:
            page.evaluate(f"(() => {{ {AXE}; window.found = axe.run({{resultTypes: ['violations']}}) }})()")
            result = page.evaluate("window.found")
            seen["axe"] = [
                f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
                for each in result["violations"]
            ]
        page.evaluate("window.opened.forEach(e => { e.open = false })")
        return seen


def main() -> None:
    plan = json.loads(Path(sys.argv[2]).read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        looker = Looker(browser, plan)
        found = {}
        for path in plan["paths"]:
            began = time.monotonic()
            found[path] = looker.look(path)
            print(f"{time.monotonic() - began:.1f} s {path}", file=sys.stderr)
        print(json.dumps(found))
        browser.close()


if __name__ == "__main__":
    main()
