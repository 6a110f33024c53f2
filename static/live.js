// Says what is new since this page was made, and never moves it.
"use strict";

for (const bar of document.querySelectorAll("[data-newer]")) {
  const [link, note, button] = ["a", "p > span", "button"].map((name) => bar.querySelector(name));
  const first = bar.dataset.every * 1000;
  let pause = first;
  let timer = 0;
  let isPaused = false;
  let isOver = false;
  const isResting = () => isOver || isPaused || document.hidden;
  // Only a change is read aloud.
  const write = (element, text) => {
    if (element.textContent === text) return false;
    element.textContent = text;
    return true;
  };

  const backOff = () => (pause = Math.min(pause * 2, first * 8));
  const tell = (text) => {
    link.className = "btn btn-primary";
    write(link, text) ? (pause = first) : backOff();
  };
  const ask = async () => {
    clearTimeout(timer);
    if (isResting()) return;
    try {
      const answer = await fetch(bar.dataset.newer, { cache: "no-store" });
      isOver = [401, 403].includes(answer.status);
      if (!isOver && !answer.ok) throw new Error(answer.status);
      if (!isPaused) write(note, isOver ? bar.dataset.over : "");
      button.hidden = isOver;
      if (answer.status === 204) backOff();
      else if (!isOver) tell((await answer.json()).text);
    } catch {
      backOff();
      if (!isPaused) write(note, bar.dataset.slow.replace("{0}", Math.round(pause / 1000)));
    }
    wait();
  };
  const wait = () => {
    clearTimeout(timer);
    if (!isResting()) timer = setTimeout(ask, pause);
  };
  const resume = () => {
    pause = first;
    ask();
  };

  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", isPaused);
    write(note, isPaused ? bar.dataset.paused : "");
    resume();
  });
  document.addEventListener("visibilitychange", resume);
  addEventListener("online", resume);
  wait();
}
