// Keys of the staff's pages, what they are and where else one can go, and known issues while an error text is typed. Pages
// work without it.
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

  // A notice with the way back goes by itself, unless somebody is at it; the timeline keeps the way back.
  const toast = $(".toast");
  if (toast) {
    const leave = () => setTimeout(() => { if (toast.matches(":hover, :focus-within")) leave(); else toast.remove(); }, 10_000);
    leave();
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
    gt: go("/tickets"), gb: go("/bundles"), gs: go("/signatures"), gk: go("/kb"), gc: go("/coverage"),
    u: () => { const back = $(".toast button"); if (back) back.click(); },
    r: write("public"), i: write("internal"), a: open("triage", "#owner"), s: open("triage", "#new-status"),
    e: open("escalate"), m: () => { const list = $("#macro"); if (list) list.focus(); },
    b: () => { const list = $("#profile"); if (list) list.focus(); },
  };
  // The help, and the switch that turns keys of one letter off for who dictates or slips.
  const help = $("#keys"), off = () => { try { return localStorage.getItem("sitrep-keys") === "off"; } catch { return false; } };
  const turn = $("#keys-switch");
  const told = () => { turn.textContent = off() ? turn.dataset.on : turn.dataset.off; };
  turn.addEventListener("click", () => {
    try { off() ? localStorage.removeItem("sitrep-keys") : localStorage.setItem("sitrep-keys", "off"); } catch { /* private mode */ }
    told();
  });
  const helping = () => { told(); help.showModal(); };

  // The palette: every page of the head and every heading of this one, narrowed by what is typed; else a search.
  const palette = $("#palette"), typing = palette.querySelector("input"), list = $("#choices");
  let chosen = 0;
  const places = () => {
    const links = [...document.querySelectorAll("header nav a, main .tabs a")].map((a) => [a.textContent.trim(), () => a.click()]);
    const heads = [...document.querySelectorAll("main h2")].map((h) => [h.textContent.trim(), () => h.scrollIntoView()]);
    return [...links, ...heads, [$("#keys-title").textContent, helping]];
  };
  const fitting = () => places().filter(([name]) => name.toLowerCase().includes(typing.value.trim().toLowerCase())).slice(0, 12);
  const offer = () => {
    const all = fitting();
    chosen = Math.max(0, Math.min(chosen, all.length - 1));
    list.replaceChildren(...all.map(([name, run], n) => {
      const item = document.createElement("li");
      item.id = `choice-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(n === chosen));
      item.textContent = name;
      item.addEventListener("click", () => { palette.close(); run(); });
      return item;
    }));
    if (all.length) typing.setAttribute("aria-activedescendant", `choice-${chosen}`); else typing.removeAttribute("aria-activedescendant");
  };
  typing.addEventListener("input", () => { chosen = 0; offer(); });
  typing.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); chosen += step; offer(); }
    const run = event.key === "Enter" && (fitting()[chosen] || [])[1];
    if (run) { event.preventDefault(); palette.close(); run(); }
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      typing.value = "";
      chosen = 0;
      palette.showModal();
      offer();
      return;
    }
    if (help.open || palette.open) return;
    if (event.key === "?" && !/INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) { event.preventDefault(); helping(); return; }
    const field = /INPUT|TEXTAREA|SELECT/.test(event.target.tagName);
    if (event.ctrlKey && event.key === "Enter" && event.target.form) { event.target.form.requestSubmit(); return; }
    if (field || event.ctrlKey || event.metaKey || event.altKey || off()) return;
    const action = keys[before + event.key] || keys[event.key];
    before = event.key === "g" ? "g" : "";
    if (/^[1-9]$/.test(event.key)) evidence(Number(event.key));
    else if (action) { event.preventDefault(); action(); }
  });
})();
