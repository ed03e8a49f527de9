// Draws every canvas[data-chart] with the theme's Chart.js, in the theme's colours, light and dark;
// and sends a form whose select[data-submits] was changed.
(() => {
  "use strict";

  const root = document.documentElement;
  const colour = (value) =>
    value && value.startsWith("var(")
      ? getComputedStyle(root).getPropertyValue(value.slice(4, -1)).trim()
      : value;

  const options = (spark, stacked) => ({
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    elements: { point: { radius: 2 }, line: { borderWidth: 2, tension: 0.3 } },
    plugins: {
      legend: { display: !spark, position: "bottom", labels: { boxWidth: 10, boxHeight: 10 } },
    },
    scales: {
      x: { stacked, display: !spark, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 12 } },
      y: { stacked, display: !spark, beginAtZero: true, suggestedMax: spark ? 100 : 5, ticks: { precision: 0 } },
    },
  });

  const charts = [];

  const paint = () => {
    const dark = root.classList.contains("dark");
    Chart.defaults.color = dark ? "#b0b4bd" : "#4b5563";
    Chart.defaults.borderColor = dark ? "#33363d" : "#e5e7eb";
    charts.splice(0).forEach((chart) => chart.destroy());
    document.querySelectorAll("canvas[data-chart]").forEach((canvas) => {
      const data = JSON.parse(canvas.dataset.chart);
      data.datasets.forEach((set) => {
        set.backgroundColor = colour(set.backgroundColor);
        set.borderColor = colour(set.borderColor);
      });
      const stacked = data.datasets.some((set) => set.stack);
      const type = stacked ? "bar" : "line";
      charts.push(new Chart(canvas, { type, data, options: options("spark" in canvas.dataset, stacked) }));
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("select[data-submits]").forEach((select) => {
      select.addEventListener("change", () => select.form.requestSubmit());
    });
    paint();
    new MutationObserver(paint).observe(root, { attributes: true, attributeFilter: ["class"] });
  });
})();
