const PERIOD = 2000;

function isAtBottom() {
  return window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
}

function goToBottom() {
  if (document.body.classList.contains("chat")) window.scrollTo(0, document.body.scrollHeight);
}

async function refresh() {
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-live]");
  const shown = document.querySelector("[data-live]");
  if (fresh.innerHTML === shown.innerHTML) return;
  const follows = isAtBottom();
  shown.replaceWith(document.adoptNode(fresh));
  if (follows) goToBottom();
}

// A stopped sandbox is no fault of the page: it tries again.
setInterval(() => refresh().catch(() => {}), PERIOD);
goToBottom();
