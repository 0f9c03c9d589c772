// Keys of the engineer's pages, and known issues while an error text is typed. Pages work without it.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);
  const say = (text) => { const place = $("#status"); if (place) place.textContent = text; };

  const typed = $("[data-known]"), place = $("#known-issues");
  if (typed && place) {
    let waiting, asked = "";
    $("#look").hidden = true;
    const look = async () => {
      const text = typed.value.trim();
      if (text === asked) return;
      asked = text;
      if (!text) { place.replaceChildren(); return; }
      const body = new URLSearchParams({ csrf: typed.form.elements.csrf.value, error_text: text });
      const answer = await fetch(typed.dataset.known, { method: "POST", body });
      if (!answer.ok || text !== asked) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...page.body.childNodes);
    };
    typed.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(look, 400); });
    if (typed.value) look();
  }

  let at = -1, before = "";
  const rows = () => [...document.querySelectorAll("table[data-list] tbody tr")];
  const mark = (step) => {
    const all = rows();
    if (!all.length) return;
    at = Math.min(all.length - 1, Math.max(0, at + step));
    const link = all[at].querySelector("a");
    if (link) { link.focus(); all[at].scrollIntoView({ block: "nearest" }); }
  };
  const go = (href) => () => { location.href = href; };
  const open = (id, field) => () => {
    const part = document.getElementById(id);
    if (!part) return;
    part.open = true;
    (part.querySelector(field || "input:not([type=hidden]), select, textarea") || part).focus();
  };
  const write = (who) => () => {
    const choice = document.getElementById(who);
    if (!choice) return;
    choice.checked = true;
    $("#text").focus();
  };
  const copy = () => {
    const title = $("[data-copy]");
    if (title && navigator.clipboard) navigator.clipboard.writeText(title.dataset.copy).then(() => say(title.dataset.copy));
  };
  const evidence = (n) => { const link = document.querySelectorAll("[data-evidence]")[n - 1]; if (link) link.click(); };
  const keys = {
    "/": () => { const box = $("input[type=search]"); if (box) box.focus(); },
    n: go("/tickets/new"), j: () => mark(1), k: () => mark(-1), ".": copy,
    gt: go("/tickets"), gs: go("/signatures"), gk: go("/kb"), gc: go("/coverage"),
    r: write("public"), i: write("internal"), a: open("triage", "#owner"), s: open("triage", "#new-status"),
    e: open("escalate"), m: () => { const list = $("#macro"); if (list) list.focus(); },
    b: () => { const list = $("#profile"); if (list) list.focus(); },
  };
  document.addEventListener("keydown", (event) => {
    const field = /INPUT|TEXTAREA|SELECT/.test(event.target.tagName);
    if (event.ctrlKey && event.key === "Enter" && event.target.form) { event.target.form.requestSubmit(); return; }
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = keys[before + event.key] || keys[event.key];
    before = event.key === "g" ? "g" : "";
    if (/^[1-9]$/.test(event.key)) evidence(Number(event.key));
    else if (action) { event.preventDefault(); action(); }
  });
})();
