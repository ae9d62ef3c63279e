// Charts that can be pointed at and zoomed (uPlot), in the place of the drawings that the server made.
"use strict";
(() => {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const number = value => value === null || value === undefined ? "" :
    Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString();

  // A line of words beside the pointer.
  const tip = (say) => ({
    hooks: {
      init: plot => {
        plot.tip = document.createElement("div");
        plot.tip.className = "tip"; plot.tip.hidden = true;
        plot.over.append(plot.tip);
        plot.over.addEventListener("mouseleave", () => { plot.tip.hidden = true; });
      },
      setCursor: plot => {
        const said = plot.cursor.left < 0 ? null : say(plot);
        plot.tip.hidden = said === null;
        if (said === null) return;
        plot.tip.textContent = said.text;
        const room = plot.over.clientWidth - plot.tip.offsetWidth;
        plot.tip.style.left = `${Math.max(0, Math.min(room, said.left + 12))}px`;
        plot.tip.style.top = `${Math.max(0, said.top - plot.tip.offsetHeight - 8)}px`;
      },
    },
  });

  const axes = (x, y) => [x, y].map(own => ({
    stroke: colour("dim"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
    grid: { stroke: colour("line"), width: .7 }, ticks: { show: false }, ...own }));

  const shade = bands => plot => {
    plot.ctx.save();
    plot.ctx.fillStyle = colour("dim"); plot.ctx.globalAlpha = .1;
    for (const [, begin, end] of bands) {
      const left = plot.valToPos(begin, "x", true), right = plot.valToPos(end, "x", true);
      plot.ctx.fillRect(left, plot.bbox.top, right - left, plot.bbox.height);
    }
    plot.ctx.restore();
  };

  const time = data => ({
    height: 190,
    options: {
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high * 1.06 || 1] } },
      axes: axes({ size: 30, values: (_, all) => all.map(value => `${value} s`) }, { size: 52, values: (_, all) => all.map(number) }),
      series: [{}, { stroke: colour("f0"), width: 1.5, points: { show: false } }],
      plugins: [{ hooks: { drawClear: shade(data.bands) } }, tip(plot => {
        const at = plot.cursor.idx;
        if (at === null || at === undefined) return null;
        const phase = data.bands.find(([, begin, end]) => data.x[at] >= begin && data.x[at] <= end);
        return { left: plot.cursor.left, top: plot.valToPos(data.y[at], "y"),
                 text: `${number(data.x[at])} s: ${number(data.y[at])} ${data.unit}${phase ? `\n${phase[0]}` : ""}` };
      })],
    },
    values: [data.x, data.y],
  });

  // UTC, like every time on a page.
  const day = (seconds, whole) => {
    const text = new Date(1000 * seconds).toISOString(), name = MONTHS[Number(text.slice(5, 7)) - 1];
    return `${Number(text.slice(8, 10))} ${name}${whole ? ` ${text.slice(0, 4)}` : ""}`;
  };
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const days = (plot, all) => {
    const short = plot.scales.x.max - plot.scales.x.min < 3 * 86400;
    return all.map(value => short ? `${day(value)} ${new Date(1000 * value).toISOString().slice(11, 16)}` : day(value));
  };

  // Points with intervals. data.points: [x, y, low, high, family, name, fair]; front: [[x, y], ...], joined.
  const scatter = data => {
    const points = [...data.points].sort((a, b) => a[0] - b[0]);
    const draw = plot => {
      const { ctx } = plot, at = (x, y) => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
      ctx.save();
      ctx.beginPath(); ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height); ctx.clip();
      ctx.strokeStyle = colour("dim"); ctx.setLineDash([6, 5]); ctx.lineWidth = 1.2 * devicePixelRatio; ctx.beginPath();
      data.front.forEach(([x, y], i) => ctx[i ? "lineTo" : "moveTo"](...at(x, y)));
      ctx.stroke();
      ctx.strokeStyle = ctx.fillStyle = colour("warn"); ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`; ctx.lineWidth = devicePixelRatio;
      for (const [x, name] of data.events ?? []) {
        const left = plot.valToPos(x, "x", true);
        ctx.beginPath(); ctx.moveTo(left, plot.bbox.top); ctx.lineTo(left, plot.bbox.top + plot.bbox.height); ctx.stroke();
        ctx.fillText(name, left + 4 * devicePixelRatio, plot.bbox.top + 12 * devicePixelRatio);
      }
      ctx.setLineDash([]);
      for (const [x, y, low, high, family, , fair] of points) {
        ctx.strokeStyle = ctx.fillStyle = colour(`f${family}`);
        if (low !== null && high !== null) {
          ctx.globalAlpha = .45; ctx.lineWidth = 2 * devicePixelRatio; ctx.beginPath();
          ctx.moveTo(...at(x, low)); ctx.lineTo(...at(x, high)); ctx.stroke(); ctx.globalAlpha = 1;
        }
        const [left, top] = at(x, y), size = 4.5 * devicePixelRatio;
        ctx.beginPath();
        if (fair) { ctx.arc(left, top, size, 0, 7); ctx.fill(); }
        else { ctx.moveTo(left - size, top - size); ctx.lineTo(left + size, top + size); ctx.moveTo(left + size, top - size); ctx.lineTo(left - size, top + size); ctx.stroke(); }
      }
      ctx.restore();
    };
    const padded = (_, low, high) => { const room = (high - low) * .08 || Math.abs(high) * .1 || 1; return [low - room, high + room]; };
    const ends = points.flatMap(([, y, low, high]) => [y, low ?? y, high ?? y]);
    return {
      height: 340,
      options: {
        scales: { x: { time: Boolean(data.time), range: padded }, y: { range: (plot, low, high) => plot.zoomed ? [low, high] : padded(plot, Math.min(...ends), Math.max(...ends)) } },
        axes: axes(data.time ? { size: 34, values: days } : { size: 30, values: (_, all) => all.map(number), label: data.unit, labelSize: 22 }, { size: 46, values: (_, all) => all.map(number) }),
        series: [{}, { paths: () => null, points: { show: false } }],
        cursor: { drag: { x: true, y: true, uni: 20 } },
        plugins: [{ hooks: { draw, setSelect: plot => { plot.zoomed = true; } } }, tip(plot => {
          let best = null, least = 26;
          for (const each of points) {
            const far = Math.hypot(plot.valToPos(each[0], "x") - plot.cursor.left, plot.valToPos(each[1], "y") - plot.cursor.top);
            if (far < least) { least = far; best = each; }
          }
          if (best === null) return null;
          const [x, y, low, high, , name] = best;
          const interval = low === null ? "" : ` (${low.toFixed(1)} to ${high.toFixed(1)})`;
          const where = data.time ? day(x, true) : `${number(x)} ${data.unit}`;
          return { left: plot.valToPos(x, "x"), top: plot.valToPos(y, "y"), text: `${name}\n${y.toFixed(1)}${interval}, ${where}` };
        })],
      },
      values: [points.map(each => each[0]), points.map(each => each[1])],
    };
  };

  const KINDS = { time, scatter };

  function show(figure, place, data) {
    const made = KINDS[data.kind](data);
    const plot = new uPlot({
      width: Math.max(200, place.clientWidth), height: made.height, legend: { show: false }, ...made.options,
      cursor: { points: { show: data.kind === "time" }, ...made.options.cursor },
    }, made.values, place);
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-labelledby", `${figure.dataset.chart}-caption`);
    return plot;
  }

  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const told = document.getElementById(`${figure.dataset.chart}-data`);
    if (told === null) continue;
    const data = JSON.parse(told.textContent), drawing = figure.querySelector(".drawing");
    const place = document.createElement("div");
    place.className = "live-plot";
    drawing.after(place);
    let plot = null;
    const replace = () => {
      if (plot !== null) plot.destroy();
      drawing.hidden = true; place.hidden = false;
      plot = show(figure, place, data);
    };
    const restore = () => { plot.destroy(); plot = null; drawing.hidden = false; place.hidden = true; };
    if (data.kind === "time") replace();
    else {
      // The drawing has names beside its marks, so it stays until somebody wants to look closer.
      const button = document.createElement("button");
      button.type = "button"; button.className = "quiet"; button.textContent = "Look closer";
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        const on = plot === null;
        if (on) replace(); else restore();
        button.setAttribute("aria-pressed", String(on));
        button.textContent = on ? "Show the names" : "Look closer";
      });
      figure.append(button);
    }
    new ResizeObserver(() => { if (plot !== null && place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: plot.height }); }).observe(figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot !== null) replace(); });
  }
})();
