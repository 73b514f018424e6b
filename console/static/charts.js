// The two charts of the first page; figures come from /charts/data.
(() => {
  const SERIES = {
    throughput: [["completed", "completed", "--good"], ["failed", "failed", "--bad"], ["timed_out", "timed out", "--wait"]],
    errors: [["failed", "errors", "--bad"], ["retried", "retries", "--wait"], ["waited", "waits", "--busy"], ["crashed", "crashes", "--crash"]],
  };
  const EVERY = { hour: 15000, day: 60000 };
  const charts = {};
  let span = "hour";
  let figures = null;
  let timer = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => (value >= 10000 ? `${(value / 1000).toFixed(0)}k` : value.toLocaleString("en"));
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

  const options = (name, width) => ({
    width,
    height: 150,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, least, most) => [0, Math.max(4, most * 1.1)] } },
    axes: [
      { stroke: colour("--dim"), grid: { show: false }, ticks: { show: false }, font: "11px system-ui", space: 60, size: 28, values: (_, all) => all.map(clock) },
      { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 40, space: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000], values: (_, all) => all.map(short) },
    ],
    series: [{}, ...SERIES[name].map(([, label, tone]) => ({ label, stroke: colour(tone), width: 1.5, fill: `color-mix(in srgb, ${colour(tone)} 10%, transparent)`, points: { show: false } }))],
    hooks: { setCursor: [(chart) => legend(name, chart.cursor.idx)] },
  });

  const legend = (name, index) => {
    const box = document.getElementById(`${name}-legend`);
    box.replaceChildren();
    const when = document.createElement("span");
    when.className = "dim";
    const at = index == null ? null : figures.at[index];
    when.textContent = at == null ? (span === "hour" ? "in the last hour, UTC" : "in the last 24 hours, UTC") : `${clock(at)} – ${clock(at + figures.width)} UTC`;
    SERIES[name].forEach(([key, label, tone]) => {
      const value = index == null ? figures[key].reduce((sum, one) => sum + one, 0) : figures[key][index];
      const item = document.createElement("span");
      const dot = document.createElement("i");
      dot.style.background = colour(tone);
      item.append(dot, `${label} ${value.toLocaleString("en")}`);
      box.append(item);
    });
    box.append(when);
  };

  const draw = (name) => {
    const box = document.getElementById(name);
    charts[name]?.destroy();
    box.replaceChildren();
    charts[name] = new uPlot(options(name, box.clientWidth), [figures.at, ...SERIES[name].map(([key]) => figures[key])], box);
    const sums = SERIES[name].map(([key, label]) => `${figures[key].reduce((sum, one) => sum + one, 0)} ${label}`);
    box.setAttribute("aria-label", `In the last ${span === "hour" ? "hour" : "24 hours"}: ${sums.join(", ")}`);
    legend(name, null);
  };

  const load = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(`/charts/data?span=${span}`, { headers: { Accept: "application/json" } });
      if (answer.ok && !answer.redirected) {
        figures = await answer.json();
        Object.keys(SERIES).forEach(draw);
      }
    } catch { /* tried again soon */ }
    timer = setTimeout(load, EVERY[span]);
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-span]").forEach((button) => button.addEventListener("click", () => {
      span = button.dataset.span;
      document.querySelectorAll("[data-span]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      load();
    }));
    let width = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.round(entry.contentRect.width);
      if (figures && now !== width) Object.keys(SERIES).forEach(draw);
      width = now;
    }).observe(document.getElementById("throughput"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures && Object.keys(SERIES).forEach(draw));
    document.addEventListener("themechange", () => figures && Object.keys(SERIES).forEach(draw));
    load();
  });
})();
