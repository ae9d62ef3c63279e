// How jobs go on, without loading the page again. Whatever the server tells is written as text, never as markup.
"use strict";

const live = document.querySelector("[data-events]");
const phases = live ? JSON.parse(live.dataset.phases) : {};

function write(name, text) {
  for (const element of document.querySelectorAll(`[data-live="${name}"]`))
    if (element.textContent !== text) element.textContent = text;
}

function lasts(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

// Load the page again, but never under somebody's hands.
function again() {
  const busy = document.activeElement && document.activeElement !== document.body && document.activeElement.id !== "main";
  const notice = document.getElementById("changed");
  if (busy || String(getSelection())) { if (notice) notice.hidden = false; } else location.reload();
}

function count(number) { return number.toLocaleString("en"); }

function show(state) {
  const progress = state.progress;
  const seen = [state.status, progress.runs_done, progress.runs_total].join(" ");
  if (seen !== live.dataset.seen) return again();
  if (state.status === "running") write("lead", phases[progress.phase] || progress.phase);
  if (progress.runs_total) {
    const words = [`${count(progress.runs_done)} of ${count(progress.runs_total)} runs`];
    if (progress.samples_total) words.push(`${count(progress.samples_done || 0)} of ${count(progress.samples_total)} answers`);
    if (progress.left_s !== null) words.push(`about ${lasts(progress.left_s)} left`);
    write("words", words.join(", "));
    let share = progress.runs_done / progress.runs_total;
    if (progress.samples_total) {
      const begun = progress.runs_done + progress.running.length;
      share = Math.max(share, (progress.samples_done || 0) / progress.samples_total * begun / progress.runs_total);
    }
    live.querySelector("progress").value = 100 * Math.min(1, share);
  }
  write("speed", progress.tokens_per_s ? `${progress.tokens_per_s.toFixed(1)} tokens/s` : "not known yet");
  write("running", progress.running.join(", ") || "none");
}

const log = document.querySelector("[data-log]");
let asking = false;

async function readLog() {
  if (!log || asking) return;
  asking = true;
  try {
    const answer = await fetch(`${log.dataset.log}?offset=${log.dataset.offset}`);
    if (!answer.ok) return;
    const part = await answer.json();
    log.dataset.offset = part.next_offset;
    if (!part.text) return;
    const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append((log.textContent && !log.textContent.endsWith("\n") ? "\n" : "") + part.text);
    if (log.textContent.length > 400000) log.textContent = log.textContent.slice(-200000);
    if (below) log.scrollTop = log.scrollHeight;
  } catch { /* the next event tries again */ } finally { asking = false; }
}

if (live) {
  const source = new EventSource(live.dataset.events);
  source.addEventListener("progress", event => { show(JSON.parse(event.data)); readLog(); });
  source.addEventListener("end", () => { source.close(); again(); });
  addEventListener("pagehide", () => source.close());
  if (log) log.scrollTop = log.scrollHeight;
}

// A list of jobs is loaded again from time to time, while somebody looks and does nothing else.
const list = document.querySelector("[data-reload]");
if (list) setInterval(() => {
  const busy = document.activeElement && document.activeElement !== document.body && document.activeElement.id !== "main";
  if (document.visibilityState === "visible" && !busy && !String(getSelection())) location.reload();
}, 1000 * Number(list.dataset.reload));
