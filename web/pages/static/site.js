// Small conveniences; every page works without them.
"use strict";

// A filter is applied as soon as it is chosen; typing still needs Enter or the button.
for (const select of document.querySelectorAll("form.filters:not([data-wait]) select"))
  select.addEventListener("change", () => select.form.requestSubmit());

// Empty fields stay out of the URL.
for (const form of document.querySelectorAll("form.filters"))
  form.addEventListener("formdata", event => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });

// Escape and a click elsewhere close an open menu.
const menus = () => document.querySelectorAll("details.menu[open]");
document.addEventListener("click", event => menus().forEach(menu => { if (!menu.contains(event.target)) menu.open = false; }));
document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  menus().forEach(menu => { menu.open = false; menu.querySelector("summary").focus(); });
});

// Times are UTC; pointing at one says it in this place's time.
for (const time of document.querySelectorAll("time[datetime]")) {
  const when = new Date(time.dateTime);
  if (!Number.isNaN(when.valueOf())) time.title = when.toLocaleString();
}
