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

// A menu closes when one presses or goes elsewhere, and at Escape, which leaves one where the menu was opened.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
};
for (const way of ["click", "focusin"]) {
  document.addEventListener(way, (event) => closeMenus(event.target.closest("details.menu")));
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.activeElement.closest("details.menu[open]")?.querySelector("summary").focus();
  closeMenus();
});

// What has the focus in a row that goes on beyond the screen is seen whole.
document.addEventListener("focusin", (event) => {
  if (event.target.closest(".strip")) event.target.scrollIntoView({ block: "nearest", inline: "center" });
});

// A text says how long it is, and how long it may be.
for (const text of document.querySelectorAll("[data-counted]")) {
  const counter = document.createElement("p");
  counter.className = "counter";
  const count = () => (counter.textContent = `${[...text.value].length} / ${text.maxLength}`);
  text.closest(".field").append(counter);
  text.addEventListener("input", count);
  count();
}

// An address holds only the filters that filter.
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
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

// A page that is meant for paper is printed by one press.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
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

// What was typed into a form of data-keep outlives an expired session, a refusal or a lost connection, in this tab,
// until the form is accepted. Passwords and files are never kept, and nobody else finds it.
const KEPT = "kept:";
const SENT = "sent"; // the form whose answer is awaited
const here = location.pathname + location.search;
const person = document.body.dataset.person;
const tab = (() => {
  try {
    sessionStorage.removeItem("");
    return sessionStorage;
  } catch {
    return null; // switched off
  }
})();

const keptAddresses = () => Object.keys(tab).filter((key) => key.startsWith(KEPT));
const keptFields = (form) =>
  [...form.elements].filter(
    (field) =>
      field.name && field.name !== "csrfmiddlewaretoken" && !["password", "file", "submit", "button"].includes(field.type),
  );
const hasTicks = (field) => field.type === "checkbox" || field.type === "radio";
const isTouched = (field) => {
  if (hasTicks(field)) return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const preset = Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return field.selectedIndex !== preset;
};

// After an answer the typed text is what the server put there, hence untouched: all of it is kept.
const keep = (form, isAnswered) => {
  const typed = keptFields(form).filter((field) => field.type === "hidden" || isAnswered || isTouched(field));
  if (typed.every((field) => field.type === "hidden")) return tab.removeItem(KEPT + here);
  const fields = typed.map((field) => [field.name, field.value, field.checked]);
  tab.setItem(KEPT + here, JSON.stringify({ person, fields }));
};

const restoreField = (field, value, checked) => {
  const before = [field.value, field.checked].join();
  if (hasTicks(field)) field.checked = checked;
  else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
  if (field.type === "hidden" || [field.value, field.checked].join() === before) return false;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
};
const restore = (form, draft) => {
  const restored = keptFields(form).filter((field) =>
    draft.fields.some(
      ([name, value, checked]) =>
        name === field.name && (!hasTicks(field) || value === field.value) && restoreField(field, value, checked),
    ),
  );
  if (!restored.length) return;
  const note = document.getElementById("kept").content.cloneNode(true);
  note.querySelector("button").addEventListener("click", () => {
    tab.removeItem(KEPT + here);
    location.replace(location.href);
  });
  form.before(note);
};

const keepTyping = (form) => {
  const isAnswered = form.dataset.keep === "answered";
  const draft = JSON.parse(tab.getItem(KEPT + here));
  if (draft && !isAnswered && draft.person === person) restore(form, draft);
  if (isAnswered) keep(form, true);
  for (const event of ["input", "change"]) form.addEventListener(event, () => keep(form, isAnswered));
  form.addEventListener("submit", () => {
    keep(form, isAnswered);
    tab.setItem(SENT, here);
  });
  for (const way of form.querySelectorAll(".actions a")) {
    way.addEventListener("click", () => tab.removeItem(KEPT + here));
  }
};

// Accepted: the answer is another page than the form's own, or one that says so; not the login's, nor a refusal.
const settleSent = (form) => {
  const sent = tab.getItem(SENT);
  tab.removeItem(SENT);
  if (!sent || !person || document.body.classList.contains("is-refusal")) return;
  const isAnswer = document.referrer === location.origin + sent;
  const isAccepted = !(form && sent === here) || document.querySelector("main > [role=status] .alert-success");
  if (isAnswer && isAccepted) tab.removeItem(KEPT + sent);
};

if (tab) {
  const form = document.querySelector("form[data-keep]");
  settleSent(form);
  if (form) keepTyping(form);
  for (const note of document.querySelectorAll("[data-when-kept]")) note.hidden = !keptAddresses().length;
  // Whoever logs out leaves nothing behind.
  document.querySelector("form[data-forget]")?.addEventListener("submit", () => {
    for (const key of keptAddresses()) tab.removeItem(key);
  });
  addEventListener("pageshow", (event) => event.persisted && tab.removeItem(SENT));
}
