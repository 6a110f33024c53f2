// Draws each chart of the page from the table beside it, once everything else is there. Without this file, the tables.
"use strict";

(() => {
  const figures = [...document.querySelectorAll("[data-chart]")];
  const library = document.currentScript.dataset.library;
  if (!figures.length || navigator.connection?.saveData) return;

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A surface that is told from the others without its colour.
  const LOOKS = {
    dots: (pen) => pen.fillRect(3, 3, 2, 2),
    frame: (pen) => pen.fillRect(0, 0, 8, 8),
    lines: (pen) => {
      pen.lineWidth = 2;
      for (const x of [-8, 0, 8]) {
        pen.moveTo(x, 8);
        pen.lineTo(x + 8, 0);
      }
      pen.stroke();
    },
    grid: (pen) => {
      pen.fillRect(0, 0, 8, 2);
      pen.fillRect(0, 0, 2, 8);
    },
  };
  const surface = (color, look) => {
    if (!look) return color;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = color;
    pen.fillRect(0, 0, 8, 8);
    pen.fillStyle = pen.strokeStyle = ink("--surface");
    LOOKS[look](pen);
    return pen.createPattern(tile, "repeat");
  };

  const valueOf = (cell) => {
    const text = cell.querySelector("data")?.value ?? cell.textContent.replace(/\s/g, "");
    return text === "–" ? null : Number(text);
  };
  const inUnit = (value, unit) => {
    if (unit !== "s") return `${value.toLocaleString(document.documentElement.lang)}${unit ? ` ${unit}` : ""}`;
    const [size, name] = value < 100 ? [1, "s"] : value < 6000 ? [60, "min"] : [3600, "h"];
    return `${Number((value / size).toPrecision(2)).toLocaleString(document.documentElement.lang)} ${name}`;
  };

  const series = (table, kind) => {
    const rows = [...table.tBodies[0].rows];
    return [...table.tHead.rows[0].cells]
      .filter((head) => head.dataset.ink)
      .map((head) => {
        const color = ink(head.dataset.ink);
        const data = rows.map((row) => valueOf(row.cells[head.cellIndex]));
        const common = { label: head.textContent, data, borderColor: color };
        if (kind === "bars") return { ...common, backgroundColor: surface(color, head.dataset.look), borderWidth: 1 };
        const isDashed = head.dataset.look === "lines";
        return {
          ...common,
          backgroundColor: isDashed ? ink("--surface") : color,
          borderDash: isDashed ? [5, 4] : [],
          borderWidth: 2,
          pointRadius: 3,
          pointStyle: isDashed ? "rect" : "circle",
          spanGaps: true,
        };
      })
      .filter((one) => one.data.some(Boolean));
  };

  const SECONDS = [0.1, 1, 10, 60, 600, 3600, 36000, 86400];
  const inRoundTimes = (axis) => {
    const inside = SECONDS.filter((value) => value >= axis.min && value <= axis.max);
    if (inside.length > 1) axis.ticks = inside.map((value) => ({ value }));
  };
  const scales = (kind, unit) => {
    const quiet = { color: ink("--quiet") };
    const grid = { color: ink("--line") };
    const ticks = { ...quiet, precision: 0, maxTicksLimit: 6, callback: (value) => inUnit(value, unit) };
    return {
      x: { stacked: kind === "bars", grid: { display: false }, ticks: { ...quiet, maxRotation: 0, autoSkipPadding: 12 } },
      y: {
        ...(unit === "s" ? { type: "logarithmic", afterBuildTicks: inRoundTimes } : { type: "linear" }),
        stacked: kind === "bars",
        beginAtZero: true,
        max: unit === "%" ? 100 : undefined,
        grid,
        ticks,
      },
    };
  };

  const charts = [];
  const draw = (figure) => {
    const { chart: kind, unit } = figure.dataset;
    const table = figure.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const canvas = figure.querySelector("canvas");
    canvas.parentElement.hidden = false;
    charts.push(
      new Chart(canvas, {
        type: kind === "bars" ? "bar" : "line",
        data: { labels: rows.map((row) => row.cells[0].textContent.trim()), datasets: series(table, kind) },
        options: {
          animation: false,
          maintainAspectRatio: false,
          interaction: { mode: "index", intersect: false },
          onClick: (_event, [bar]) => bar && rows[bar.index].querySelector("th a")?.click(),
          scales: scales(kind, unit),
          plugins: {
            legend: { position: "bottom", labels: { color: ink("--ink"), boxHeight: 7, usePointStyle: kind !== "bars" } },
            tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${inUnit(item.raw, unit)}` } },
          },
        },
      }),
    );
  };
  const drawAll = () => {
    for (const chart of charts.splice(0)) chart.destroy();
    for (const figure of figures) draw(figure);
  };

  const start = () => {
    for (const figure of figures) figure.querySelector("details").open = false;
    drawAll();
    // Another theme has other colours, however it was chosen.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    new MutationObserver(drawAll).observe(document.documentElement, { attributes: true });
    // Paper has no details to open.
    addEventListener("beforeprint", () => figures.forEach((figure) => (figure.querySelector("details").open = true)));
    addEventListener("afterprint", () => figures.forEach((figure) => (figure.querySelector("details").open = false)));
  };

  const load = () => {
    const script = document.createElement("script");
    script.src = library;
    script.addEventListener("load", start);
    document.head.append(script);
  };
  if (document.readyState === "complete") load();
  else addEventListener("load", load, { once: true });
})();
