/* What HTMX and HTML cannot do alone: shortcuts, focus after a swap, what hides again. Everything works without it. */
"use strict";

const byId = (id) => document.getElementById(id);
const inField = (target) => target.matches("input:not([type=checkbox]), select, textarea, [contenteditable]");

/* Single keys, which each browser can turn off (WCAG 2.1.4). None of them decides anything. */
const OFF = "shortcuts-off";
const off = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
const choice = byId(OFF);
if (choice) {
  choice.checked = off();
  choice.addEventListener("change", () => { try { localStorage.setItem(OFF, choice.checked ? "1" : "0"); } catch { /* private window */ } });
}

const rows = () => [...document.querySelectorAll("#rows tbody tr, .tasks.moving > li")];
const current = () => rows().find((row) => row.contains(document.activeElement));
function move(step) {
  const all = rows();
  if (!all.length) return;
  const next = all[Math.min(Math.max(all.indexOf(current()) + step, 0), all.length - 1)];
  (next.querySelector("a") ?? next.querySelector("button, input"))?.focus();
}

/* What is chosen in a list, by key or pointer, is counted beside the button that looks at it. */
const choose = () => current()?.querySelector("[name=chosen]")?.click();
document.addEventListener("change", (event) => {
  if (event.target.name !== "chosen") return;
  const form = event.target.form, note = form.querySelector("[data-chosen]");
  if (note) note.textContent = `${new FormData(form).getAll("chosen").length} chosen`;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return closeAccount(true);
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || off()) return;
  if (event.key === "/") { (byId("find") ?? byId("q"))?.focus(); event.preventDefault(); }
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "x") choose();
  else if (event.key === "?") byId("shortcuts")?.togglePopover();
});

/* Sections in a row that is wider than the window: the current one is in sight. */
for (const row of document.querySelectorAll(".tabs, .slim .top .nav")) {
  const here = row.querySelector("[aria-current]");
  if (here && row.scrollWidth > row.clientWidth) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;
}

/* The account menu closes as a menu does. */
function closeAccount(back) {
  const menu = document.querySelector(".account[open]");
  if (!menu) return;
  menu.open = false;
  if (back) menu.querySelector("summary").focus();
}
document.addEventListener("click", (event) => { if (!event.target.closest(".account")) closeAccount(false); });

/* Usual values beside a field, which fill it in. */
for (const picks of document.querySelectorAll("[data-picks]")) {
  const field = byId(picks.dataset.picks);
  const show = () => { for (const one of picks.children) one.setAttribute("aria-pressed", String(one.value === field.value)); };
  picks.hidden = false;
  picks.addEventListener("click", (event) => { if (event.target.value) { field.value = event.target.value; show(); } });
  field.addEventListener("input", show);
  show();
}

/* One box for all boxes of a list. */
for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = [...document.getElementsByName(all.dataset.all)];
  const show = () => {
    const chosen = boxes.filter((one) => one.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.hidden = false;
  all.addEventListener("change", () => { for (const one of boxes) one.checked = all.checked; });
  for (const one of boxes) one.addEventListener("change", show);
  show();
}

/* What keeps an exception safe brings its wording, until somebody has gone on from one. */
const wordings = [...document.querySelectorAll("[data-wording]")], typed = byId("reason");
for (const one of wordings) one.addEventListener("change", () => {
  const now = typed.value.trim();
  if (!now || wordings.some((other) => other.dataset.wording === now)) typed.value = one.dataset.wording;
});

/* After a swap the keyboard is where it was, found again by name, or at the first error. */
let focused = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  const active = document.activeElement;
  focused = active?.name && event.detail.target?.contains?.(active) ? [active.name, active.tagName === "BUTTON" ? active.value : null] : null;
});
document.addEventListener("htmx:afterSettle", (event) => {
  const errors = byId("errors");
  if (errors && event.detail.xhr?.status >= 400) return errors.focus();
  if (focused && document.activeElement === document.body) {
    const [name, value] = focused;
    const same = [...document.getElementsByName(name)];
    (same.find((one) => value === null || one.value === value) ?? same.at(-1))?.focus();
  }
  focused = null;
  timeReveals();
});

/* While the next answer is on its way, the old one says so. */
document.addEventListener("htmx:beforeRequest", (event) => event.detail.target?.setAttribute?.("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute?.("aria-busy"));

/* The rows of a rule and what is said of them change together. A button brings both; a preview of the rows before it is dropped,
   and one asked for meanwhile waits for the rows after. */
let waiting = false;
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, target } = event.detail, builder = byId("builder");
  if (target?.id === "builder") {
    htmx.trigger(byId("compose"), "htmx:abort");
    builder.dataset.asked = "yes";
    byId("impact").setAttribute("aria-busy", "true");
  } else if (elt.id === "compose" && builder.dataset.asked) { waiting = true; event.preventDefault(); }
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.target?.id !== "builder") return;
  delete event.detail.target.dataset.asked;
  byId("impact").removeAttribute("aria-busy");
  if (waiting) { waiting = false; htmx.trigger(byId("compose"), "input"); }
});

/* Rows are dragged by their grip; the server moves them, as it does for the buttons. */
let dragged = null;
const rowAt = (target) => target.closest?.("#builder .node");
const place = (row) => [...row.parentElement.children].indexOf(row);
const half = (row, event) => { const box = row.getBoundingClientRect(); return event.clientY > box.top + box.height / 2 ? "below" : "above"; };
function mark(row, side) {
  for (const one of document.querySelectorAll("#builder [data-drop]")) delete one.dataset.drop;
  if (row) row.dataset.drop = side;
}
document.addEventListener("dragstart", (event) => {
  if (!event.target.matches?.(".grip")) return;
  dragged = rowAt(event.target);
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setDragImage(dragged, 0, 0);
});
document.addEventListener("dragover", (event) => {
  const over = dragged && rowAt(event.target);
  mark(over, over && half(over, event));
  if (over) event.preventDefault();
});
document.addEventListener("dragend", () => { mark(null); dragged = null; });
document.addEventListener("drop", (event) => {
  const over = dragged && rowAt(event.target);
  if (!over) return;
  event.preventDefault();
  const button = byId("drop");
  button.value = `place:${place(dragged)}:${place(over)}:${half(over, event)}`;
  button.click();
});

/* Enter in a picker adds what stands there; it does not send the form. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.dataset?.enter) return;
  event.preventDefault();
  byId(event.target.dataset.enter).click();
});

/* No answer, or a broken one: say so instead of showing an old state as if it were new. */
const connection = (lost) => { const note = byId("connection"); if (note) note.hidden = !lost; };
for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => connection(true));
document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 500) connection(true); });
document.addEventListener("htmx:afterOnLoad", (event) => { if (event.detail.xhr.status < 500) connection(false); });

/* Revealed values hide again after a while; whoever still reads asks for more time (WCAG 2.2.1). */
function timeReveals() {
  for (const shown of document.querySelectorAll("[data-hide-after]:not([data-timed])")) {
    shown.dataset.timed = "yes";
    const note = shown.querySelector("[data-timer]");
    const hide = () => {
      for (const value of shown.querySelectorAll(".revealed")) { value.textContent = "hidden"; value.className = ""; }
      note.hidden = true;
      shown.querySelector("[data-hidden]").hidden = false;
    };
    let timer = setTimeout(hide, shown.dataset.hideAfter * 1000);
    note.hidden = false;
    note.querySelector("button").addEventListener("click", () => { clearTimeout(timer); timer = setTimeout(hide, shown.dataset.hideAfter * 1000); });
  }
}
timeReveals();

/* Toasts are never the only record, so they may go; they stay while the pointer or the keyboard is on them. */
const leaving = new WeakSet();
function timeToasts() {
  for (const toast of document.querySelectorAll(".toast")) {
    if (leaving.has(toast)) continue;
    leaving.add(toast);
    const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : toast.remove());
    setTimeout(leave, 8000);
  }
}
timeToasts();
document.addEventListener("htmx:oobAfterSwap", timeToasts);
