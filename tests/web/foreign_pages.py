"""Pages of somebody else, in a real Chromium, against a running `serve`: `foreign_pages.py CHROMIUM PLAN`.

PLAN is a JSON file: link (that begins a session), base, foreign (the origins of the pages). Prints what happened.

Runs alone, with a Python that has Playwright (`make test-web`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FETCHES = """async base => {
  const tried = {};
  const note = async (name, what) => { try { tried[name] = await what(); } catch (error) { tried[name] = 'refused'; } };
  await note('read', async () => (await fetch(base + '/metrics', {credentials: 'include'})).text());
  await note('post', async () => {
    await fetch(base + '/logout', {method: 'POST', credentials: 'include', mode: 'no-cors'}); return 'sent';
  });
  await note('json', async () => (await fetch(base + '/api/v1/benchmarking/run', {
    method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'}, body: '{}'})).text());
  await note('socket', () => new Promise((done, fail) => {
    const socket = new WebSocket(base.replace('http', 'ws') + '/health');
    socket.onopen = () => done('open'); socket.onerror = fail;
  }));
  await note('image', () => new Promise((done, fail) => {
    const image = new Image(); image.onload = () => done('loaded'); image.onerror = fail;
    image.src = base + '/static/icon.svg';
  }));
  return tried;
}"""
FRAME = """base => new Promise(done => {
  const frame = document.createElement('iframe'); frame.src = base + '/';
  frame.onload = () => { let seen; try { seen = frame.contentDocument ? 'readable' : 'opaque'; }
    catch { seen = 'opaque'; } done(seen); };
  document.body.append(frame);
})"""


def main(chromium: str, plan: dict) -> dict:
    """Everything that the pages tried."""
    found: dict = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(plan["link"])
        found["entered"] = page.url
        cookies = context.cookies()
        found["cookie"] = [{key: each[key] for key in ("httpOnly", "sameSite", "path")} for each in cookies]
        found["script_sees"] = page.evaluate("document.cookie")
        for origin in plan["foreign"]:
            page.goto(origin)
            tried = page.evaluate(FETCHES, plan["base"])
            tried["frame"] = page.evaluate(FRAME, plan["base"])
            statuses = []
            page.on(
                "response", lambda answer, kept=statuses: kept.append((answer.request.method, answer.status))
            )
            page.set_content(f'<form method="post" action="{plan["base"]}/logout"><button>go</button></form>')
            with page.expect_navigation():
                page.click("button")
            tried["form"] = [status for method, status in statuses if method == "POST"]
            page.goto(origin)
            page.set_content(f'<a href="{plan["base"]}/runs?order=score">see</a>')
            page.click("a")
            page.wait_for_url("**/*order=score*")
            page.wait_for_selector("main")
            tried["linked"] = page.url
            found[origin] = tried
        page.goto(plan["base"] + "/runs")
        found["still"] = page.url
        browser.close()
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))))
