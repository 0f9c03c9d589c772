// A file's text of any length: only the lines in sight are in the page, the rest is fetched as one comes near. The pages
// of the file work without this script; keys are lnav's where it has them.
"use strict";
(() => {
  const view = document.getElementById("view"), table = document.getElementById("lines");
  if (!view || !table) return;
  const total = Number(view.dataset.total), at = view.dataset.at, ROW = 20, HIGHEST = 8e6, PAGE = 200, KEPT = 60;
  const words = view.dataset, $ = (id) => document.getElementById(id);
  const say = (text) => { $("status").textContent = text; };
  const pages = new Map();
  // The first line in sight, with a fraction; the marked line; what is looked for.
  let top = 0, marked = Number(words.line) || 1, pattern = "", asked = 0;

  document.body.classList.add("viewing");
  view.hidden = false;
  table.closest("div").hidden = true;
  for (const part of document.querySelectorAll("[data-pages]")) part.hidden = true;
  const spacer = document.createElement("div"), layer = document.createElement("div");
  layer.className = "layer";
  layer.setAttribute("role", "rowgroup");
  spacer.append(layer);
  view.append(spacer);
  const tall = total * ROW, height = Math.min(tall, HIGHEST);
  spacer.style.height = `${height}px`;
  const rows = () => Math.ceil(view.clientHeight / ROW);
  const last = () => Math.max(0, total - Math.floor(view.clientHeight / ROW));

  // Control and bidirectional characters made visible: a line is a line, whatever it holds.
  const HOSTILE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
  const visible = (text) => text.replace(HOSTILE, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

  const page = (n) => {
    let known = pages.get(n);
    if (!known) {
      known = fetch(`${at}/lines?from=${n * PAGE + 1}&count=${PAGE}`).then(async (answer) => {
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        return (await answer.json()).lines;
      });
      known.then((lines) => { known.lines = lines; }, () => pages.delete(n));
      pages.set(n, known);
      if (pages.size > KEPT) pages.delete(pages.keys().next().value);
    }
    return known;
  };

  const row = (n, line) => {
    const tr = document.createElement("div"), number = document.createElement("a"), text = document.createElement("span");
    tr.setAttribute("role", "row");
    tr.setAttribute("aria-rowindex", n);
    number.href = `?L=${n}#L${n}`;
    number.textContent = n;
    number.tabIndex = -1;
    text.textContent = line ? visible(line.s) + (line.cut ? " …" : "") : "";
    if (line && line.l) tr.dataset.level = line.l;
    if (n === marked) tr.setAttribute("aria-current", "true");
    for (const part of [number, text]) {
      const cell = document.createElement("div");
      cell.setAttribute("role", part === number ? "rowheader" : "cell");
      cell.append(part);
      tr.append(cell);
    }
    return tr;
  };

  const draw = async () => {
    const turn = ++asked, first = Math.floor(top), end = Math.min(total, first + rows() + 1);
    const needed = [];
    for (let n = Math.floor(first / PAGE); n * PAGE < end; n += 1) needed.push(n);
    const put = () => {
      const lines = [];
      for (let n = first + 1; n <= end; n += 1) {
        const known = (pages.get(Math.floor((n - 1) / PAGE)) || {}).lines;
        lines.push(row(n, known && known[(n - 1) % PAGE]));
      }
      layer.replaceChildren(...lines);
      layer.style.transform = `translateY(${-(top - first) * ROW}px)`;
      $("place").textContent = `L${marked} · ${(marked / total * 100).toFixed(1)} %`;
    };
    const waiting = needed.map(page);
    if (waiting.every((known) => known.lines)) { put(); return; }
    view.setAttribute("aria-busy", "true");
    try {
      await Promise.all(waiting);
    } catch (error) {
      say(`${words.failed}: ${error.message}`);
    }
    if (turn === asked) { put(); view.removeAttribute("aria-busy"); }
  };

  // Where the scroll bar stands for a line: one to one while the file is short, scaled when it is not.
  let own = 0;
  const bar = () => {
    const most = height - view.clientHeight;
    view.scrollTop = tall <= HIGHEST ? top * ROW : (last() ? top / last() * most : 0);
    own = view.scrollTop;
  };
  const show = (line) => { top = Math.min(last(), Math.max(0, line)); bar(); return draw(); };
  view.addEventListener("scroll", () => {
    if (Math.abs(view.scrollTop - own) < 1) return;
    own = view.scrollTop;
    const most = height - view.clientHeight;
    top = tall <= HIGHEST ? view.scrollTop / ROW : (most ? view.scrollTop / most * last() : 0);
    top = Math.min(last(), top);
    draw();
  });
  // Wheels and keys move by real lines, however long the file is.
  view.addEventListener("wheel", (event) => {
    if (tall <= HIGHEST || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(top + event.deltaY / ROW);
  }, { passive: false });

  const mark = (line, centre) => {
    marked = Math.min(total, Math.max(1, line));
    history.replaceState(null, "", `?L=${marked}#L${marked}`);
    const seen = marked - 1 >= top + 1 && marked - 1 < top + rows() - 2;
    const form = $("pin");
    if (form) {
      form.hidden = false;
      form.elements.line.value = marked;
      $("pin-line").textContent = marked;
      page(Math.floor((marked - 1) / PAGE)).then((lines) => {
        form.elements.text.value = (lines[(marked - 1) % PAGE] || { s: "" }).s.slice(0, 2000);
      }, () => {});
    }
    return seen && !centre ? draw() : show(marked - 1 - Math.floor(rows() / 3));
  };
  layer.addEventListener("click", (event) => {
    const line = event.target.closest("[aria-rowindex]");
    if (!line) return;
    if (event.target.tagName === "A") event.preventDefault();
    if (String(getSelection())) return;
    mark(Number(line.getAttribute("aria-rowindex")));
  });

  // The next or previous line of a level or pattern, or the line of a time: found by the server.
  const seek = async (what, back) => {
    const query = new URLSearchParams({ ...what, from: marked, back: Boolean(back) });
    const answer = await fetch(`${at}/place?${query}`);
    const found = await answer.json();
    if (!answer.ok) { say(found.detail || words.failed); return; }
    if (found.line) { await mark(found.line, true); say(`${words.found} ${found.line}`); } else say(words.none);
  };
  const go = (text) => {
    const wanted = text.trim();
    if (/^\d+$/.test(wanted)) mark(Number(wanted), true);
    else if (/^[\d.]+ ?%$/.test(wanted)) mark(Math.ceil(parseFloat(wanted) / 100 * total), true);
    else if (wanted) seek({ time: wanted });
  };
  $("to").form.addEventListener("submit", (event) => { event.preventDefault(); go($("to").value); view.focus(); });
  $("q").form.addEventListener("submit", (event) => {
    event.preventDefault();
    pattern = $("q").value;
    if (pattern) seek({ pattern });
    view.focus();
  });
  for (const link of document.querySelectorAll("a[data-seek]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); seek({ level: link.dataset.seek }, link.dataset.back); });
  }

  const again = (back) => { if (pattern) seek({ pattern }, back); else $("q").focus(); };
  const keys = {
    g: () => mark(1, true), G: () => mark(total, true), j: () => mark(marked + 1), k: () => mark(marked - 1),
    e: () => seek({ level: "error" }), E: () => seek({ level: "error" }, true),
    w: () => seek({ level: "warning" }), W: () => seek({ level: "warning" }, true),
    n: () => again(false), N: () => again(true), "/": () => $("q").focus(), ":": () => { $("to").value = ""; $("to").focus(); },
    p: () => { const note = $("note"); if (note) note.focus(); },
    y: () => navigator.clipboard && navigator.clipboard.writeText(location.href).then(() => say(location.href)),
    ArrowDown: () => mark(marked + 1), ArrowUp: () => mark(marked - 1),
    PageDown: () => mark(marked + rows() - 2, true), PageUp: () => mark(marked - rows() + 2, true),
    Home: () => mark(1, true), End: () => mark(total, true),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
    const letter = event.key.length === 1;
    try { if (letter && localStorage.getItem("sitrep-keys") === "off") return; } catch { /* private mode */ }
    if (document.querySelector("dialog[open]")) return;
    if (keys[event.key]) { event.preventDefault(); event.stopImmediatePropagation(); keys[event.key](); }
  }, true);
  // Where errors, warnings and findings stand in the whole file. It takes a while, so the lines come first, and are seen.
  const whole = async () => {
    const answer = await fetch(words.overview);
    const part = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("overview");
    if (!part) return;
    $("whole").hidden = true;
    view.before(part);
    part.addEventListener("click", (event) => {
      const link = event.target.closest("a"), line = link && /[?]L=(\d+)/.exec(link.getAttribute("href"));
      if (line) { event.preventDefault(); mark(Number(line[1]), true); view.focus(); }
    });
  };
  addEventListener("resize", draw);
  mark(marked, Number(words.line) > 0).then(() => setTimeout(() => whole().catch(() => {}), 300)).catch(() => {});
})();
