// The pages of a file's text work as links; this adds keys, as lnav has them: g G top and bottom, e E next and previous
// error, w W warning, n p pages, y copies the address of the marked line.
"use strict";
(() => {
  const table = document.getElementById("lines");
  if (!table) return;
  const rows = [...table.querySelectorAll("tr[id]")];
  let at = Math.max(0, rows.findIndex((row) => row.getAttribute("aria-current") === "true"));
  const mark = (place) => {
    if (place < 0 || place >= rows.length) return;
    rows[at].removeAttribute("aria-current");
    at = place;
    rows[at].setAttribute("aria-current", "true");
    rows[at].scrollIntoView({ block: "center" });
    history.replaceState(null, "", rows[at].querySelector("a").href);
  };
  const next = (level, step) => {
    for (let place = at + step; place >= 0 && place < rows.length; place += step) {
      if (rows[place].dataset.level === level) { mark(place); return; }
    }
    follow(step > 0 ? "next" : "prev");
  };
  const follow = (rel) => {
    const link = document.querySelector(`nav[data-pages] a[rel=${rel}]`);
    if (link) link.click();
  };
  const keys = {
    g: () => follow("first"), G: () => follow("last"), j: () => mark(at + 1), k: () => mark(at - 1),
    e: () => next("error", 1), E: () => next("error", -1), w: () => next("warning", 1), W: () => next("warning", -1),
    n: () => follow("next"), p: () => follow("prev"),
    y: () => navigator.clipboard && navigator.clipboard.writeText(rows[at].querySelector("a").href),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
})();
