// The page of a send: asks every other second what has changed, and draws it.
// Hidden pages ask nothing; what is over is asked about four times a minute, for opens come late.

const page = document.querySelector("#send")
const PAUSE = 2000, PAUSE_AFTER = 15000, SPOKEN = 10000
const COLOURS = {
  accepted: "#16a34a", rejected: "#dc2626", unregistered: "#f97316", expired: "#a16207",
  cancelled: "#64748b", capped: "#0891b2", uncertain: "#9333ea", pending: "#94a3b8", other: "#dc2626",
  "pushes a second": "#2563eb",
}
const still = matchMedia("(prefers-reduced-motion: reduce)").matches

const charts = {}
const draw = (name, { labels, sets }) => {
  const canvas = page.querySelector(`[data-chart="${name}"]`)
  const line = name === "rate"
  const datasets = Object.entries(sets).map(([label, data]) => ({
    label, data, backgroundColor: line ? `${COLOURS[label]}33` : COLOURS[label], borderColor: COLOURS[label],
    borderWidth: line ? 2 : 0, fill: line, pointRadius: labels.length < 4 ? 3 : 0, tension: 0.25,
  }))
  const box = page.querySelector(`[data-chart-box="${name}"]`)
  if (box) box.hidden = !labels.length
  if (charts[name]) {
    Object.assign(charts[name].data, { labels, datasets })
    charts[name].update("none")
    return
  }
  const ink = document.documentElement.classList.contains("dark") ? "#cbd5e1" : "#475569"
  const axis = (said) => ({ ticks: { color: ink, precision: 0, autoSkip: line || said.many }, grid: { color: `${ink}22` }, stacked: !line, beginAtZero: true, ...said })
  charts[name] = new Chart(canvas, {
    type: line ? "line" : "bar",
    data: { labels, datasets },
    options: {
      animation: still ? false : { duration: 300 }, responsive: true, maintainAspectRatio: false,
      indexAxis: line ? "x" : "y",
      scales: { x: axis({ many: true }), y: axis({ many: labels.length > 20 }) },
      plugins: { legend: { display: !line, position: "bottom", labels: { color: ink, boxWidth: 12 } } },
    },
  })
}

let spoken = 0
const show = (told) => {
  for (const place of page.querySelectorAll("[data-text]")) place.textContent = told.texts[place.dataset.text]
  page.querySelector("[data-is]").dataset.is = told.standing
  // read out by screen readers, who are not told every other second
  const over = !told.live, heard = page.querySelector("[data-heard]")
  if (over || Date.now() - spoken > SPOKEN) {
    if (heard.textContent !== told.texts.summary) heard.textContent = told.texts.summary
    spoken = Date.now()
  }
  for (const [key, { number, of }] of Object.entries(told.steps)) {
    const step = page.querySelector(`[data-step="${key}"]`), meter = step.querySelector("meter")
    meter.max = of || 1
    meter.value = number
    meter.style.setProperty("--share", `${(100 * number) / (of || 1)}%`)
    step.querySelector("dd").textContent = number.toLocaleString("en")
  }
  for (const [name, rows] of Object.entries(told.rows)) {
    page.querySelector(`[data-rows="${name}"]`).replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr")
      row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })))
      return row
    }))
  }
  for (const [name, series] of Object.entries(told.series)) draw(name, series)
  const actions = page.querySelector("[data-actions]")
  if (actions) actions.hidden = over
  for (const form of page.querySelectorAll("[data-while]")) form.hidden = form.dataset.while !== told.standing
}

let live = false
const look = async () => {
  try {
    const answer = await fetch(page.dataset.progress)
    if (answer.ok && answer.headers.get("Content-Type")?.includes("json")) {
      const told = await answer.json()
      live = told.live
      show(told)
    }
  } catch { /* asked again in a moment */ }
}
const go = async () => {
  if (!document.hidden) await look()
  setTimeout(go, live ? PAUSE : PAUSE_AFTER)
}

const told = JSON.parse(document.querySelector("#watched").textContent)
live = told.live
show(told)
setTimeout(go, live ? PAUSE : PAUSE_AFTER)
document.addEventListener("visibilitychange", () => { if (!document.hidden) look() })
