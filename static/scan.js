// The page of a lot: one scan after the other, boxes to tick. Everything works without this file, more slowly.
"use strict";

// Scans are sent one after the other, in their order: the next may be read before the last is answered.
const form = document.querySelector("[data-scan]");
if (form) {
  const input = form.querySelector("[autofocus]");
  const failed = document.querySelector("[data-scan-failed]");
  const token = form.elements.csrfmiddlewaretoken.value;
  const send = (number) =>
    htmx.ajax("POST", form.action, {
      target: form.dataset.scan,
      swap: "innerHTML",
      values: { [input.name]: number, csrfmiddlewaretoken: token },
    });
  let last = Promise.resolve();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const number = input.value.trim();
    input.value = "";
    input.focus();
    if (number) last = last.then(() => send(number)).catch(() => {});
  });
  const fail = (event) => form.action.endsWith(event.detail.pathInfo.requestPath) && (failed.hidden = false);
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, fail);
  document.addEventListener("htmx:afterSwap", () => (failed.hidden = true));
  input.focus();
  offerCamera(document.querySelector("[data-camera]"), (number) => {
    input.value = number;
    form.requestSubmit();
  });
}

// The browser's own reader of codes, where there is one.
function offerCamera(place, found) {
  if (!place || !("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  const [button, video] = [place.querySelector("button"), place.querySelector("video")];
  const detector = new BarcodeDetector();
  let seen = "";
  const look = async () => {
    if (video.hidden) return;
    const [code] = await detector.detect(video).catch(() => []);
    // A code stays in the picture for a while: it is one scan.
    if (code && code.rawValue !== seen) found((seen = code.rawValue));
    setTimeout(look, 300);
  };
  const stop = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.hidden = true;
  };
  button.addEventListener("click", async () => {
    if (!video.hidden) return stop();
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
    video.hidden = false;
    seen = "";
    look();
  });
  place.hidden = false;
}

// Boxes: all at once, and the button says how many.
const all = document.querySelector("[data-tick-all]");
if (all) {
  // Asked each time: a scan takes boxes away.
  const boxes = () => [...document.getElementsByName("colis")];
  const button = document.querySelector("[data-ticked]");
  const before = button.textContent;
  const count = () => {
    const ticked = boxes().filter((box) => box.checked).length;
    button.textContent = ticked ? button.dataset.ticked.replace("{count}", ticked) : before;
  };
  all.hidden = false;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const box of boxes()) box.checked = event.target.checked;
    count();
  });
  document.addEventListener("change", (event) => event.target.name === "colis" && count());
  document.addEventListener("htmx:afterSettle", () => {
    for (const mark of document.querySelectorAll("[data-is-here]")) document.getElementById(mark.dataset.isHere)?.remove();
    count();
  });
}
