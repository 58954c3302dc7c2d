// The picture is sent as soon as it is picked: one tap less. Without this script a button sends it.
"use strict";

(() => {
  document.documentElement.classList.add("with-scripts");
  const wait = document.querySelector("[data-wait]");
  for (const form of document.querySelectorAll("form[data-pick]")) {
    form.querySelector('input[type="file"]').addEventListener("change", (event) => {
      if (!event.target.files.length) return;
      if (wait) wait.hidden = false;
      form.submit();
    });
  }
  document.querySelector("[data-go]")?.focus();
})();
