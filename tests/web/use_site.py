"""Use a running `serve` in a real Chromium as somebody would, and print what was seen as JSON:
`use_site.py CHROMIUM LINK`. From the form to the grid with one real job; then another one is cancelled by keyboard.

Runs alone, with a Python that has Playwright (`make test-web`).
"""

from __future__ import annotations

import json
import re
import sys
from urllib.parse import urlsplit

from playwright.sync_api import Error, expect, sync_playwright

PATIENCE_MS = 90_000  # on a machine that has much to do
JOB_MS = 400_000


# What an event of the running job makes of the page that shows it.
NEXT_PHASE = """() => {
  const total = Number(live.dataset.seen.split(" ")[2]);
  live.dataset.seen = `running 0 ${total}`;
  show({status: "running", progress: {phase: "loading", runs_done: 0, runs_total: total, running: [], left_s: null}});
  return document.querySelector("[data-live=lead]").textContent;
}"""


def main() -> None:
    chromium, link = sys.argv[1:]
    seen: dict = {"complaints": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(base_url=link.split("/enter")[0])
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda message: seen["complaints"].append(message.text))
        page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
        page.goto(link)
        seen["cookies"] = [(each["httpOnly"], each["sameSite"]) for each in context.cookies() if each["name"]]
        start(page, seen)
        follow(page, seen)
        grid(page, seen)
        cancel(page, seen)
        plain(browser, context, page, seen)
        browser.close()
    print(json.dumps(seen))


def start(page, seen) -> None:
    """Fill in the form, see what would happen, go back, and start it."""
    page.goto("/start")
    page.locator("input[name=model][value=demo]").check()
    page.locator("input[name=benchmark][value=human_eval]").check()
    page.locator("#field-limit").fill("one")
    page.get_by_role("button", name="See what would happen").click()
    seen["mistake"] = page.locator("#field-limit-error").inner_text()
    seen["kept"] = (
        page.locator("#field-limit").input_value(),
        page.locator("input[value=demo]").is_checked(),
    )
    page.locator("#field-limit").fill("1")
    page.get_by_text("Problems and sampling").click()
    page.locator("#field-max_tokens").fill("16")
    page.get_by_role("button", name="See what would happen").click()
    page.get_by_role("heading", name="What would happen").wait_for()
    seen["checked"] = page.locator(".card .lead").inner_text()
    page.get_by_role("button", name="Start it").click()
    page.wait_for_url("**/jobs/*")
    seen["job"] = urlsplit(page.url).path
    seen["told"] = next_phase(page)


def next_phase(page) -> str:
    """The page may be loading itself again at this moment, since its job has started."""
    for _ in range(20):
        try:
            return page.evaluate(NEXT_PHASE)
        except Error:
            page.wait_for_load_state()
    return ""


def follow(page, seen) -> None:
    """The page of the job goes on by itself until the job has ended."""
    expect(page.locator(".crumbs .tag")).to_have_text(re.compile("completed|failed"), timeout=JOB_MS)
    seen["status"] = page.locator(".crumbs .tag").inner_text()
    seen["lead"] = page.locator(".card .lead").first.inner_text()
    seen["log"] = page.get_by_role("region", name="Log").inner_text()


def grid(page, seen) -> None:
    """From the job to the grid, and by a click in it to the answer."""
    page.get_by_role("link", name="What its runs made of each problem").click()
    page.get_by_role("heading", name="Problems").wait_for()
    cell = page.locator("#grid td a").first
    seen["cell"] = cell.get_attribute("aria-label")
    cell.click()
    page.get_by_role("heading", name="Prompt").wait_for()
    seen["answer"] = page.locator("h1").inner_text()
    seen["prompt"] = page.locator("main").inner_text().count("has_close_elements")


def cancel(page, seen) -> None:
    """The same form again is a second job; it is ended with the keyboard alone."""
    page.goto("/start?model=demo&benchmark=human_eval&check=1")
    page.get_by_role("button", name="Start it").press("Enter")
    page.wait_for_url("**/jobs/*")
    seen["second"] = urlsplit(page.url).path
    page.goto("/jobs")
    button = page.get_by_role("button", name="Cancel").first
    button.focus()
    seen["outline"] = button.evaluate("e => getComputedStyle(e).outlineStyle")
    button.press("Enter")
    page.wait_for_url("**/jobs/*-*")
    expect(page.locator(".crumbs .tag")).to_have_text("cancelled")
    page.goto("/live")
    before = page.locator("[data-gauge=host-cpu] .spark path").get_attribute("d")
    line = page.locator("[data-gauge=host-cpu] .spark path")
    expect(line).not_to_have_attribute("d", before or "")  # it is drawn anew each second


def plain(browser, context, page, seen) -> None:
    """Without scripts: the same pages, and a form that works."""
    bare = browser.new_context(
        base_url=page.url.split("/live")[0], java_script_enabled=False, storage_state=context.storage_state()
    )
    bare.set_default_timeout(PATIENCE_MS)
    page = bare.new_page()
    page.goto(seen["second"])
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("link", name="Reload").click()
    page.get_by_role("button", name="Cancel").click()
    seen["without_scripts"] = page.locator(".crumbs .tag").inner_text()
    bare.close()


if __name__ == "__main__":
    main()
