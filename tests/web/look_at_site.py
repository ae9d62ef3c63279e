"""Look at pages of a running `serve` in a real Chromium and print what is found as JSON:
`look_at_site.py CHROMIUM PLAN`, where PLAN is a JSON file: base, secret, paths, and shots (a folder, or "").

Runs alone, with a Python that has Playwright and axe-core (`make test-web`).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
VARIANTS = [(1280, "light"), (390, "dark"), (390, "light"), (768, "light"), (1280, "dark")]
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


class Looker:
    """One Chromium for all pages."""

    def __init__(self, browser, plan: dict) -> None:
        self.browser, self.plan = browser, plan

    def look(self, path: str, variants: list[tuple[int, str]]) -> dict:
        """What is found on a page in each variant, and without scripts."""
        found: dict = {"variants": [], "outside": [], "complaints": [], "bytes": 0}
        for width, scheme in variants:
            found["variants"].append(self.variant(path, width, scheme, found))
        context = self.context(390, "light", scripts=False)
        page = context.new_page()
        page.goto(self.plan["base"] + path)
        found["text_without_scripts"] = len(page.inner_text("main"))
        context.close()
        return found

    def context(self, width: int, scheme: str, *, scripts: bool = True):
        """Its own context: nothing of one page is left for the next."""
        return self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            extra_http_headers={"Authorization": f"Bearer {self.plan['secret']}"},
        )

    def variant(self, path: str, width: int, scheme: str, found: dict) -> dict:
        """One size and theme."""
        context = self.context(width, scheme)
        page = context.new_page()
        base = self.plan["base"]
        page.on("request", lambda r: None if r.url.startswith(base) else found["outside"].append(r.url))
        page.on("console", lambda message: found["complaints"].append(message.text))
        page.on("pageerror", lambda error: found["complaints"].append(str(error)))
        page.on("dialog", lambda dialog: (found["complaints"].append("a dialog"), dialog.dismiss()))
        answer = page.goto(base + path, wait_until=self.plan.get("wait", "load"))
        page.wait_for_timeout(50)
        seen = {
            "width": width,
            "scheme": scheme,
            "status": answer.status,
            "overflow": page.evaluate(OVERFLOW),
        }
        found["bytes"] = max(found["bytes"], len(answer.body()))
        seen["active"] = page.evaluate(ACTIVE)  # before a screenshot, which adds a style to fields
        if self.plan["shots"]:
            name = re.sub(r"[^\w]+", "-", path).strip("-") or "home"
            file = Path(self.plan["shots"]) / f"{name[:60]}-{width}-{scheme}.png"
            page.screenshot(path=str(file), full_page=True)
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
        seen["overflow_open"] = page.evaluate(OVERFLOW)
        seen["unreachable"] = page.evaluate(SCROLLERS)
        policy = page.evaluate(f"(() => {{ {AXE}; return typeof axe }})()")
        result = page.evaluate("axe.run()") if policy == "object" else {"violations": []}
        seen["axe"] = [
            f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
            for each in result["violations"]
        ]
        seen["axe_ran"] = policy == "object"
        context.close()
        return seen


def main() -> None:
    plan = json.loads(Path(sys.argv[2]).read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        looker = Looker(browser, plan)
        variants = [tuple(each) for each in plan.get("variants") or VARIANTS]
        print(json.dumps({path: looker.look(path, variants) for path in plan["paths"]}))
        browser.close()


if __name__ == "__main__":
    main()
