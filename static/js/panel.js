// What the panel's pages do beyond plain forms and links. Every page works without it.
"use strict";

(() => {
  const words = () => document.getElementById("toast-words");

  // A token for what htmx sends without a form around it.
  document.addEventListener("htmx:config:request", (event) => {
    const request = event.detail.ctx.request;
    const meta = document.querySelector('meta[name="csrf-token"]');
    if (meta && request.method !== "GET") request.headers["X-CSRFToken"] = meta.content;
  });

  // What htmx does not swap in is told: it must not look as if nothing had happened.
  const FAILURES = { 403: "forbidden", 404: "gone", 413: "large", 429: "often" };
  document.addEventListener("htmx:response:error", (event) => {
    const { status, headers } = event.detail.ctx.response;
    if (headers.get("HX-Redirect")) return;
    if (status >= 500 || status in FAILURES) tell(FAILURES[status] || "failed");
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && !event.detail.ctx.response) tell("offline");
  });

  function tell(what, tone = "danger") {
    const source = words();
    if (!source) return;
    const note = source.content.firstElementChild.cloneNode(true);
    note.dataset.toast = tone;
    note.querySelector(".toast-text").textContent = source.dataset[what];
    if (tone === "success") {
      const picture = note.querySelector(".toast-mark use");
      picture.setAttribute("href", picture.getAttribute("href").replace("#alert-circle", "#circle-check"));
    }
    document.getElementById("toasts").append(note);
  }

  // Toasts: good news leaves by itself, what can be undone stays longer, trouble stays.
  const STAYS_MS = 6000;
  const STAYS_WITH_UNDO_MS = 20000;
  function welcome(note) {
    if (note.dataset.seen) return;
    note.dataset.seen = "yes";
    note.querySelector("[data-close]").hidden = false;
    if (["danger", "warning"].includes(note.dataset.toast)) return;
    const stays = note.querySelector("form") ? STAYS_WITH_UNDO_MS : STAYS_MS;
    let timer = setTimeout(() => note.remove(), stays);
    for (const pause of ["pointerenter", "focusin"]) note.addEventListener(pause, () => clearTimeout(timer));
    for (const resume of ["pointerleave", "focusout"]) {
      note.addEventListener(resume, () => {
        clearTimeout(timer);
        timer = setTimeout(() => note.remove(), stays);
      });
    }
  }

  function prepare(root) {
    for (const note of root.querySelectorAll(".toast-note")) welcome(note);
    for (const button of root.querySelectorAll("[data-copy], .menu [data-close], [data-reveal]")) button.hidden = false;
  }
  document.addEventListener("DOMContentLoaded", () => {
    prepare(document);
    const here = document.querySelector(".tabs [aria-current]");
    if (here) here.closest(".tabs").scrollLeft = here.offsetLeft - here.closest(".tabs").clientWidth / 2 + here.offsetWidth / 2;
    const watched = document.body;
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) prepare(node.parentElement || node);
    }).observe(watched, { childList: true, subtree: true });
  });

  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-close]");
    if (close) {
      const note = close.closest(".toast-note");
      if (note) note.remove();
      else shut(close.closest("details"));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) put(copy.dataset.copy);
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) toggle(reveal);
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) shut(menu);
  });

  function shut(menu) {
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  }

  // The clipboard is shut on plain http; a selected text can still be copied by hand.
  async function put(text) {
    try {
      await navigator.clipboard.writeText(text);
      tell("copied", "success");
    } catch {
      const code = document.querySelector(`[data-copy="${CSS.escape(text)}"]`).previousElementSibling;
      if (code) getSelection().selectAllChildren(code);
    }
  }

  function toggle(button) {
    const input = document.getElementById(button.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  }

  // A form is sent once, however often the button is tapped. Coming back by the browser's button opens it again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented || form.dataset.many !== undefined) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const button of document.querySelectorAll('[aria-busy="true"]')) button.removeAttribute("aria-busy");
  });

  // A filter acts as soon as it is chosen.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
})();
