// The machine's figures once a second. They are written as text; lines are drawn from numbers only.
"use strict";

const panels = document.querySelector("[data-machine]");
const lines = new Map();

function path(values) {
  const known = values.filter(value => value !== null);
  if (known.length < 2) return "";
  const low = Math.min(...known), high = Math.max(...known);
  let drawn = "", pen = "M";
  values.forEach((value, number) => {
    if (value === null) { pen = "M"; return; }
    const y = high === low ? 10 : 18 - (value - low) / (high - low) * 16;
    drawn += `${pen}${(number * 100 / (values.length - 1)).toFixed(1)},${y.toFixed(1)}`;
    pen = "L";
  });
  return drawn;
}

function show(figures) {
  for (const gauge of panels.querySelectorAll("[data-gauge]")) {
    const figure = figures[gauge.dataset.gauge];
    if (!figure) continue;
    gauge.querySelector("dd").textContent = figure.text;
    const bar = gauge.querySelector(".share .at");
    if (bar && figure.share !== null) bar.setAttribute("d", `M0,3H${Math.min(100, 100 * figure.share).toFixed(1)}`);
    const line = gauge.querySelector(".spark path");
    if (!line) continue;
    const values = lines.get(gauge.dataset.gauge) || [];
    values.push(figure.value);
    if (values.length > Number(panels.dataset.kept)) values.shift();
    lines.set(gauge.dataset.gauge, values);
    line.setAttribute("d", path(values));
  }
}

if (panels) {
  const open = () => {
    const source = new EventSource(panels.dataset.machine);
    source.onmessage = event => show(JSON.parse(event.data));
    return source;
  };
  let source = open();
  // Nobody looks at a hidden page: the reader can rest.
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (document.visibilityState === "visible") source = open();
  });
  addEventListener("pagehide", () => source.close());
}
