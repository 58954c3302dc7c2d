// What the pages of live codes do beyond plain forms: pictures by drop, paste and one by one, a look at a new code before
// it is swapped in, order by dragging. Every page works without it.
"use strict";

(() => {
  document.documentElement.classList.add("with-scripts");

  // In the order they were chosen; the server reads one picture at a time anyway.
  const AT_ONCE = 1;
  const token = () => document.querySelector('meta[name="csrf-token"]').content;
  const failed = () => document.getElementById("toast-words")?.dataset.failed || "";

  // Sends a form's data and answers with the HTML that comes back; `tell` hears how much has gone out (0 to 1).
  function send(url, data, tell = () => {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", url);
      request.setRequestHeader("HX-Request", "true");
      request.setRequestHeader("X-CSRFToken", token());
      request.upload.onprogress = (event) => event.lengthComputable && tell(event.loaded / event.total);
      request.onload = () => {
        const login = request.getResponseHeader("HX-Redirect");
        if (login) location.assign(login);
        else if (request.status < 300 || request.status === 422) resolve(request.responseText);
        else reject(new Error(String(request.status)));
      };
      request.onerror = () => reject(new Error("offline"));
      request.send(data);
    });
  }

  function pictures(list) {
    return [...(list || [])].filter((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name) || !file.type);
  }

  // A place to drop pictures on; a paste anywhere on the page counts too, unless somebody is typing.
  function receives(form, take) {
    const drop = form.querySelector(".drop");
    const input = drop.querySelector('input[type="file"]');
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.add("is-over");
      });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("is-over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      take([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      const files = pictures(event.clipboardData?.files);
      if (files.length && form.isConnected) {
        event.preventDefault();
        take(files);
      }
    });
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files]);
    });
  }

  // Uploads: a line for each file at once, each sent and answered by itself.
  for (const form of document.querySelectorAll("form[data-upload]")) {
    const list = document.getElementById(form.dataset.upload);
    const waiting = [];
    let busy = 0;

    const next = async () => {
      if (busy >= AT_ONCE || !waiting.length) return;
      const [file, line, choice] = waiting.shift();
      busy += 1;
      const data = new FormData();
      data.append("image", file, file.name);
      if (choice !== null) data.append("choice_id", choice);
      const bar = line.querySelector("progress");
      try {
        const html = await send(form.action, data, (part) => (bar.value = part));
        bar.removeAttribute("value");
        put(line, html);
      } catch (error) {
        line.className = "verdict verdict-bad";
        const told = Object.assign(document.createElement("p"), { textContent: failed() });
        const again = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: list.dataset.again });
        bar.replaceWith(told, again);
        // The picture is still here: nobody has to find it again.
        again.addEventListener("click", () => {
          line.className = "verdict verdict-wait";
          told.remove();
          again.replaceWith(bar);
          bar.value = 0;
          waiting.push([file, line, choice]);
          next();
        });
      }
      busy -= 1;
      next();
    };

    receives(form, (files) => {
      const select = form.querySelector('[name="choice_id"]');
      list.hidden = false;
      for (const file of files) {
        const line = document.createElement("li");
        line.className = "verdict verdict-wait";
        const mark = document.createElement("span");
        mark.className = "verdict-mark";
        if (file.type.startsWith("image/")) {
          const image = new Image();
          image.src = URL.createObjectURL(file);
          image.alt = "";
          image.onload = () => URL.revokeObjectURL(image.src);
          mark.append(image);
        }
        const words = document.createElement("div");
        words.className = "verdict-words";
        const name = Object.assign(document.createElement("p"), { className: "verdict-file", textContent: file.name });
        const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
        bar.setAttribute("aria-label", file.name);
        words.append(name, bar);
        line.append(mark, words);
        list.append(line);
        waiting.push([file, line, select ? select.value : null]);
        next();
      }
      form.querySelector('input[type="file"]').value = "";
      list.lastElementChild?.scrollIntoView({ block: "nearest" });
    });
  }

  // A line's verdict takes its place; once something can be saved, the button for it shows.
  function put(line, html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    line.replaceWith(...holder.content.children);
    const save = document.querySelector("[data-save]");
    if (save && document.querySelector('[data-verdict="good"]')) save.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const pick = event.target.closest("button[data-pick]");
    if (!pick) return;
    event.preventDefault();
    const data = new FormData();
    data.append(pick.name, pick.value);
    const select = document.querySelector('form[data-upload] [name="choice_id"]');
    if (select) data.append("choice_id", select.value);
    pick.disabled = true;
    try {
      put(pick.closest(".verdict"), await send(pick.formAction, data));
    } catch {
      pick.disabled = false;
    }
  });

  // A swap: the new picture is shown beside the old one and read at once; the button then only says yes.
  for (const form of document.querySelectorAll("form[data-swap]")) {
    const input = form.querySelector('input[type="file"]');
    const preview = form.querySelector("[data-preview]");
    const answer = form.querySelector("[data-checked]");
    const go = form.querySelector("[data-go]");
    const bound = form.querySelector('[name="bound"]');
    let turn = 0;

    receives(form, async (files) => {
      const file = files[0];
      const mine = ++turn;
      preview.src = URL.createObjectURL(file);
      preview.hidden = false;
      bound.value = "";
      go.disabled = true;
      answer.setAttribute("aria-busy", "true");
      const data = new FormData();
      data.append("image", file, file.name);
      try {
        const html = await send(form.dataset.swap, data);
        if (mine !== turn) return;
        answer.innerHTML = html;
        const read = answer.querySelector("[data-token]");
        if (read) bound.value = read.dataset.token;
        go.disabled = !read;
        input.required = false;
        input.value = "";
        if (read) go.focus({ preventScroll: false });
      } catch {
        if (mine === turn) go.disabled = false; // the form itself still carries the picture, if it was chosen there
      }
      answer.removeAttribute("aria-busy");
    });

    answer.addEventListener("change", (event) => {
      if (!event.target.matches('[name="pick"]')) return;
      if (event.target.dataset.pickImage) preview.src = event.target.dataset.pickImage;
      go.disabled = false;
    });
  }

  // The landing page in its phone follows what is typed; saving makes it so. The frame is a page of our own.
  for (const form of document.querySelectorAll("[data-page-form]")) {
    const frame = document.querySelector("[data-page-preview] iframe");
    const shown = form.querySelector(".cover-shown");
    const field = (name) => form.elements[name];
    const readable = (colour) => {
      const [red, green, blue] = [1, 3, 5]
        .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
        .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      return 1.05 / (light + 0.05) >= (light + 0.05) / 0.06 ? "#fff" : "#1b1c1a";
    };
    const draw = () => {
      const page = frame?.contentDocument;
      const title = page?.querySelector("h1 bdi");
      if (!title) return;
      title.textContent = field("title").value || field("name").value;
      let notice = page.querySelector(".notice bdi");
      if (!notice && field("notice").value) {
        const line = Object.assign(page.createElement("p"), { className: "notice", dir: "auto" });
        line.append((notice = page.createElement("bdi")));
        page.querySelector("header").append(line);
      }
      if (notice) notice.textContent = field("notice").value;
      const style = page.body.style;
      const cover = field("no_cover")?.checked ? "" : field("cover").value && shown.getAttribute("src");
      const own = field("own_colour").checked;
      style.setProperty("--brand", own ? field("colour").value : "#1d5c4f");
      style.setProperty("--on-brand", cover || !own ? "#fff" : readable(field("colour").value));
      style.setProperty("--cover", cover ? `linear-gradient(#0007, #0007), url("${cover}")` : "none");
    };
    frame?.addEventListener("load", draw);
    form.addEventListener("input", draw);
    field("colour").addEventListener("input", () => (field("own_colour").checked = true));
    // Sent at once: the frame shows no picture that is not ours, and the form need not carry it a second time.
    field("cover_file").addEventListener("change", async () => {
      const input = field("cover_file");
      const file = input.files[0];
      if (!file) return;
      const told = form.querySelector("[data-cover-told]");
      const data = new FormData();
      data.append("cover_file", file, file.name);
      told.textContent = "";
      input.setAttribute("aria-busy", "true");
      try {
        const answer = JSON.parse(await send(form.dataset.pageForm, data));
        told.textContent = answer.why;
        if (answer.cover) {
          field("cover").value = answer.cover;
          shown.src = answer.url;
          shown.hidden = false;
          if (field("no_cover")) field("no_cover").checked = false;
        }
        input.value = "";
        draw();
      } catch {
        told.textContent = failed(); // the form itself still carries the picture
      }
      input.removeAttribute("aria-busy");
    });
  }

  // One box for all of its name.
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.all;
    if (name) for (const box of document.querySelectorAll(`input[type="checkbox"][name="${name}"]`)) box.checked = event.target.checked;
  });

  // Typing another time chooses it.
  document.addEventListener("input", (event) => {
    const group = event.target.dataset?.chooses;
    if (!group || !event.target.value) return;
    const radio = event.target.form.querySelector(`[name="${group}"][value="other"]`);
    if (radio) radio.checked = true;
  });

  // Opening times: another row, one less.
  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add-window]");
    if (add) {
      event.preventDefault();
      const rows = [...add.form.querySelectorAll("[data-window]")];
      const last = rows[rows.length - 1];
      const row = last.cloneNode(true);
      const number = 1 + Math.max(...rows.map((one) => Number(one.querySelector("input").name.split("-")[1])));
      for (const input of row.querySelectorAll("input")) {
        input.name = input.name.replace(/^window-\d+/, `window-${number}`);
        if (input.type === "checkbox") input.checked = false;
        else input.value = "";
      }
      last.after(row);
      row.querySelector("input").focus();
    }
    const drop = event.target.closest("[data-drop-window]");
    if (drop) {
      const row = drop.closest("[data-window]");
      if (row.parentElement.querySelectorAll("[data-window]").length > 1) row.remove();
      else for (const input of row.querySelectorAll("input")) input.type === "checkbox" ? (input.checked = false) : (input.value = "");
    }
  });

  // Places: what is ticked in a list joins the chosen ones and leaves them when it is ticked off, in either of the two.
  document.addEventListener("change", (event) => {
    const box = event.target;
    const chosen = document.getElementById("places-chosen");
    if (!chosen || box.name !== "regions") return;
    const same = `[name="regions"][value="${CSS.escape(box.value)}"]`;
    const chip = chosen.querySelector(same);
    if (box.checked && !chip) {
      const item = document.createElement("li");
      const label = Object.assign(document.createElement("label"), { className: "chip" });
      const input = Object.assign(document.createElement("input"), { type: "checkbox", name: "regions", value: box.value, checked: true });
      label.append(input, Object.assign(document.createElement("span"), { textContent: box.dataset.place }));
      item.append(label);
      chosen.append(item);
    } else if (!box.checked) {
      chip?.closest("li").remove();
      for (const other of document.querySelectorAll(`#place-found ${same}`)) other.checked = false;
    }
  });

  // Order: a card is lifted by its handle, with mouse or finger, and let go over another one.
  for (const grid of document.querySelectorAll("[data-order]")) {
    let lifted = null;
    grid.addEventListener("pointerdown", (event) => {
      const handle = event.target.closest("[data-handle]");
      if (!handle) return;
      event.preventDefault();
      lifted = handle.closest("[data-member]");
      lifted.classList.add("is-lifted");
      handle.setPointerCapture(event.pointerId);
    });
    grid.addEventListener("pointermove", (event) => {
      if (!lifted) return;
      const over = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-member]");
      if (!over || over === lifted || over.parentElement !== grid) return;
      const box = over.getBoundingClientRect();
      const after = lifted.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_FOLLOWING;
      const past = after ? event.clientX > box.left + box.width / 3 || event.clientY > box.top + box.height / 2 : true;
      if (past) grid.insertBefore(lifted, after ? over.nextSibling : over);
    });
    const drop = () => {
      if (!lifted) return;
      lifted.classList.remove("is-lifted");
      lifted = null;
      const data = new FormData();
      for (const card of grid.querySelectorAll("[data-member]")) data.append("ids", card.dataset.member);
      send(grid.dataset.order, data).catch(() => location.reload());
    };
    grid.addEventListener("pointerup", drop);
    grid.addEventListener("pointercancel", drop);
    // By keyboard: the arrow keys move the card whose handle has the focus.
    grid.addEventListener("keydown", (event) => {
      const handle = event.target.closest("[data-handle]");
      const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
      if (!handle || !step) return;
      event.preventDefault();
      const card = handle.closest("[data-member]");
      const other = step < 0 ? card.previousElementSibling : card.nextElementSibling;
      if (!other) return;
      grid.insertBefore(card, step < 0 ? other : other.nextSibling);
      handle.focus();
      lifted = card;
      drop();
    });
  }
})();
