// Uploads a file by tus 1.0 with progress, pause and resume; without this script the form posts as it is.
// Progress counts bytes the server has acknowledged, never bytes handed to the browser.
"use strict";
(() => {
  const form = document.getElementById("upload");
  if (!form || !window.fetch || !window.File) return;
  const code = form.dataset.code, max = Number(form.dataset.max), words = form.dataset;
  const box = document.getElementById("upload-progress");
  const bar = box.querySelector("progress"), says = box.querySelector("[data-says]");
  const pause = box.querySelector("[data-pause]"), cancel = box.querySelector("[data-cancel]");
  const done = document.getElementById("upload-done");
  const CHUNK = 8 * 1024 * 1024, WAIT_MAX = 60000;
  let going = null, paused = false, address = null;

  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
  const size = (n) => {
    const units = ["B", "kB", "MB", "GB"];
    let at = 0;
    while (n >= 1000 && at < 3) { n /= 1000; at += 1; }
    return `${n.toFixed(at ? 1 : 0)} ${units[at]}`;
  };
  const call = (url, method, headers, body) => fetch(url, {
    method, body, signal: going.signal, credentials: "omit", cache: "no-store",
    headers: { Authorization: `Bearer ${code}`, "Tus-Resumable": "1.0.0", ...headers },
  });
  const key = (file) => `sitrep-upload:${code}:${file.name}:${file.size}:${file.lastModified}`;
  const recall = (file) => { try { return localStorage.getItem(key(file)); } catch { return null; } };
  const remember = (file, url) => {
    try { url ? localStorage.setItem(key(file), url) : localStorage.removeItem(key(file)); } catch { /* private mode */ }
  };
  const refusal = async (answer) => {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || problem.title || `HTTP ${answer.status}`);
    error.final = ![408, 409, 429].includes(answer.status) && answer.status < 500;
    error.wait = Number(answer.headers.get("Retry-After")) * 1000;
    return error;
  };

  let told = -1;
  const progress = (offset, file, started, first) => {
    const part = file.size ? offset / file.size : 1, seconds = (performance.now() - started) / 1000;
    bar.value = part;
    const rate = seconds > 1 ? (offset - first) / seconds : 0;
    const left = rate > 0 ? ` · ${size(rate)}/s · ${Math.ceil((file.size - offset) / rate)} s` : "";
    says.textContent = `${file.name}: ${Math.floor(part * 100)} % · ${size(offset)} / ${size(file.size)}${left}`;
    const step = Math.floor(part * 10);
    if (step !== told) { told = step; box.querySelector("[data-announce]").textContent = `${step * 10} %`; }
  };

  const begin = async (file) => {
    const kept = recall(file);
    if (kept) {
      const answer = await call(kept, "HEAD", {});
      if (answer.ok) return [kept, Number(answer.headers.get("Upload-Offset"))];
      remember(file, null);
      if (answer.status === 401) throw await refusal(answer);
    }
    const answer = await call("/api/v1/uploads", "POST", {
      "Upload-Length": String(file.size), "Upload-Metadata": `filename ${base64(file.name)}`,
    });
    if (answer.status !== 201) throw await refusal(answer);
    const url = new URL(answer.headers.get("Location"), location.href).pathname;
    remember(file, url);
    return [url, 0];
  };

  const send = async (file) => {
    let wait = 1000, started = performance.now();
    for (;;) {
      try {
        let offset;
        [address, offset] = await begin(file);
        const first = offset;
        progress(offset, file, started, first);
        while (offset < file.size) {
          const answer = await call(address, "PATCH", {
            "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream",
          }, file.slice(offset, offset + CHUNK));
          if (answer.status !== 204) throw await refusal(answer);
          offset = Number(answer.headers.get("Upload-Offset"));
          wait = 1000;
          progress(offset, file, started, first);
        }
        return address;
      } catch (error) {
        if (going.signal.aborted || error.final) throw error;
        says.textContent = `${words.retry} (${error.message})`;
        await sleep(error.wait || wait * (0.5 + Math.random() / 2));
        wait = Math.min(wait * 2, WAIT_MAX);
        started = performance.now();
      }
    }
  };

  const line = (parent, name, text) => {
    const node = document.createElement(name);
    node.textContent = text;
    parent.append(node);
    return node;
  };

  const outcome = async (url) => {
    for (let wait = 500; ; wait = Math.min(wait * 1.5, 5000)) {
      const status = await (await call(url, "GET", { Accept: "application/json" })).json();
      done.replaceChildren();
      line(done, "h2", words.received);
      line(done, "p", `${words.receipt}: ${status.receipt}`);
      line(done, "p", "sha256: ").append(Object.assign(document.createElement("code"), { textContent: status.sha256 }));
      const verdict = status.verdict || "pending";
      line(done, "p", (words[verdict] || verdict) + (status.reason ? ` (${status.reason})` : ""));
      if (status.findings.length) {
        const list = line(done, "ul", "");
        for (const finding of status.findings) line(list, "li", `${finding.severity}: ${finding.title}`);
      }
      if (verdict !== "pending") return;
      await sleep(wait);
    }
  };

  const run = async () => {
    const file = form.elements.file.files[0];
    if (!file) return;
    box.hidden = false;
    if (file.size > max) { says.textContent = `${words.large} ${size(max)}`; return; }
    going = new AbortController();
    paused = false;
    pause.textContent = words.pause;
    try {
      const url = await send(file);
      remember(file, null);
      form.hidden = true;
      await outcome(url);
    } catch (error) {
      if (!paused) says.textContent = `${words.failed}: ${error.message}`;
    }
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  form.elements.file.addEventListener("change", run);
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) { form.elements.file.files = event.dataTransfer.files; run(); }
  });
  pause.addEventListener("click", () => {
    if (paused) { run(); return; }
    paused = true;
    going.abort();
    pause.textContent = words.resume;
  });
  cancel.addEventListener("click", async () => {
    paused = true;
    going.abort();
    going = new AbortController();
    const file = form.elements.file.files[0];
    if (address) await call(address, "DELETE", {}).catch(() => null);
    if (file) remember(file, null);
    address = null;
    box.hidden = true;
    form.reset();
  });
})();
