// Niceties only: every page works without this file.
"use strict";

// A pressed button shows that it was pressed, and cannot be pressed twice.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.defaultPrevented || !button || event.target.method !== "post") return;
  // Later: a disabled button's own value would not be sent.
  setTimeout(() => {
    button.disabled = true;
    button.dataset.pressed = "";
  });
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[data-pressed]")) {
    button.disabled = false;
    delete button.dataset.pressed;
  }
});

// A menu closes when one presses elsewhere, or Escape.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus());

// A text says how long it is, and how long it may be.
for (const text of document.querySelectorAll("[data-counted]")) {
  const counter = document.createElement("p");
  counter.className = "counter";
  const count = () => (counter.textContent = `${[...text.value].length} / ${text.maxLength}`);
  text.closest(".field").append(counter);
  text.addEventListener("input", count);
  count();
}

// A text for another site is copied by one press.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    document.getElementById(button.dataset.copy).select();
    // The newer way is closed on pages without https.
    if (document.execCommand("copy")) button.querySelector("span").textContent = button.dataset.done;
  });
}

// A page that nobody looks at asks for nothing.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.dataset.announce) event.preventDefault();
});
// Only a change is read aloud, not every refresh.
document.addEventListener("htmx:afterSettle", () => {
  const live = document.querySelector("[data-announce]");
  const announcer = document.getElementById("announcer");
  if (live && announcer && announcer.textContent !== live.dataset.announce) {
    announcer.textContent = live.dataset.announce;
  }
});
