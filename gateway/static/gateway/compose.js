// The composer: what one types is shown as phones show it, measured, counted and planned by the
// server half a second later; whatever is no longer wanted is called off.

const form = document.querySelector("#compose")
const PAUSE = 400, PAUSE_OF_COUNTS = 700

// -- the preview
const preview = document.querySelector("[data-preview]")
const show = (name, value) => {
  for (const place of preview.querySelectorAll(`[data-show="${name}"]`)) {
    if (name === "image") { place.hidden = !value; place.title = value }
    else if (name === "buttons") {
      place.replaceChildren(...value.map((text) => Object.assign(document.createElement("span"), { textContent: text })))
    } else place.textContent = value
  }
}
for (const box of document.querySelectorAll("[data-look]")) {
  box.addEventListener("change", () => preview.classList.toggle(`c-${box.dataset.look}`, box.checked))
}

// -- questions to the server
class Question {
  constructor(address, pause, tell) { Object.assign(this, { address, pause, tell }) }

  soon() {
    clearTimeout(this.timer)
    this.under_way?.abort()
    this.timer = setTimeout(() => this.ask(), this.pause)
  }

  async ask() {
    this.under_way = new AbortController()
    try {
      const answer = await fetch(this.address, { method: "POST", body: new FormData(form), signal: this.under_way.signal })
      if (!answer.headers.get("Content-Type")?.includes("json")) throw new Error("not signed in any more: reload the page")
      return this.tell(await answer.json(), answer)
    } catch (error) {
      if (error.name !== "AbortError") this.tell({ failed: error.message })
    }
  }
}

const errors = (said, names) => {
  for (const place of form.querySelectorAll("[data-error]")) {
    const name = place.dataset.error
    if (!names(name)) continue
    // what was not filled in yet is no mistake yet
    const field = form.elements[name]
    const empty = field && "value" in field && field.value === "" && field.type !== "checkbox"
    const why = empty && !place.dataset.insist ? [] : said[name] ?? []
    place.textContent = why.join(" ")
    if (field instanceof HTMLElement) field.setAttribute("aria-invalid", String(why.length > 0))
  }
}

const row = (cells) => {
  const line = document.createElement("tr")
  line.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })))
  return line
}
const list = (place, lines) => place.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })))

if (form) {
  const section = (name) => new Set([...form.querySelectorAll(`[aria-labelledby="${name}"] [data-error]`)].map((p) => p.dataset.error))
  const ofMessage = section("say"), ofReach = new Set([...section("whom"), ...section("when")])
  ofReach.delete("segment_name")

  const look = () => {
    const value = (name) => form.elements[name].value
    for (const name of ["title", "body", "image"]) show(name, value(name))
    show("buttons", value("buttons").split("\n").map((line) => line.split("=").slice(1).join("=").trim()).filter(Boolean).slice(0, 3))
  }
  const check = new Question(form.dataset.check, PAUSE, (told) => {
    errors(told.errors ?? {}, (name) => ofMessage.has(name))
    for (const line of form.querySelectorAll("[data-size]")) {
      const size = told.sizes?.[line.dataset.size]
      if (!size) continue
      const meter = line.querySelector("meter")
      meter.max = size.limit
      meter.high = size.limit * 0.9
      meter.value = Math.min(size.used, size.limit)
      meter.style.setProperty("--share", `${Math.min((100 * size.used) / size.limit, 100)}%`)
      line.classList.toggle("c-over", size.used > size.limit)
      line.querySelector("[data-bytes]").textContent = `${size.used.toLocaleString("en")} of ${size.limit.toLocaleString("en")} bytes`
    }
  })

  const state = form.querySelector("[data-reach-state]"), box = form.querySelector("#reach")
  const reach = new Question(form.dataset.reach, PAUSE_OF_COUNTS, (told) => {
    box.removeAttribute("aria-busy")
    if (told.failed) { state.textContent = told.failed; return }
    errors(told.errors ?? {}, (name) => ofReach.has(name) && name !== "__all__")
    if (told.errors) { state.textContent = told.errors.__all__?.[0] ?? "Something above is not right yet."; return }
    state.textContent = told.slow
    for (const [name, count] of Object.entries(told.counts)) box.querySelector(`[data-count="${name}"]`).textContent = count
    for (const name of ["when", "takes"]) box.querySelector(`[data-said="${name}"]`).textContent = told[name]
    list(box.querySelector("[data-words]"), told.words)
    list(box.querySelector("[data-warnings]"), told.warnings)
    for (const [name, rows] of Object.entries(told.tables)) box.querySelector(`[data-table="${name}"] tbody`).replaceChildren(...rows.map(row))
  })
  const counts = () => { box.setAttribute("aria-busy", "true"); state.textContent = "counting …"; reach.soon() }

  const times = () => {
    for (const place of form.querySelectorAll("[data-when]")) place.hidden = !place.dataset.when.split(" ").includes(form.elements.when.value)
  }

  form.addEventListener("input", (event) => {
    const at = event.target.closest("[aria-labelledby]")?.getAttribute("aria-labelledby")
    if (at === "say") { look(); check.soon() }
    else if (event.target.closest(".c-builder") || event.target.type === "search") return
    else if (at === "whom" || at === "when") { times(); counts() }
  })

  // -- segments and channels, found by name
  for (const picker of form.querySelectorAll("[data-picker]")) {
    const kind = picker.dataset.picker, chips = picker.querySelector(".c-chips")
    const find = picker.querySelector("input[type=search]"), found = picker.querySelector(".c-found")
    const choose = ({ id, name }) => {
      if (![...chips.querySelectorAll("input")].some((one) => one.value === String(id))) {
        const chip = document.createElement("li"), drop = document.createElement("button")
        chip.append(Object.assign(document.createElement("input"), { type: "hidden", name: kind, value: id }), `${name} `)
        Object.assign(drop, { type: "button", textContent: "×" }).setAttribute("aria-label", `Remove ${name}`)
        chip.append(drop)
        chips.append(chip)
      }
      found.hidden = true
      find.value = ""
      counts()
    }
    picker.choose = choose
    chips.addEventListener("click", (event) => {
      if (event.target.tagName === "BUTTON") { event.target.closest("li").remove(); find.focus(); counts() }
    })
    let timer
    const search = () => {
      clearTimeout(timer)
      timer = setTimeout(async () => {
        const asked = new URLSearchParams({ app: form.elements.app.value, kind, q: find.value })
        const { names } = await (await fetch(`${form.dataset.names}?${asked}`)).json()
        found.replaceChildren(...names.map((one) => {
          const line = document.createElement("li"), button = document.createElement("button")
          Object.assign(button, { type: "button", textContent: one.name, onclick: () => { choose(one); find.focus() } })
          line.append(button)
          return line
        }))
        if (!names.length) list(found, ["nothing of that name"])
        found.hidden = false
      }, 150)
    }
    find.addEventListener("input", search)
    find.addEventListener("focus", search)
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); found.querySelector("button")?.click() }
      else if (event.key === "ArrowDown") { event.preventDefault(); found.querySelector("button")?.focus() }
      else if (event.key === "Escape") found.hidden = true
    })
    found.addEventListener("keydown", (event) => {
      const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key]
      if (event.key === "Escape") { found.hidden = true; find.focus() }
      if (!next) return
      event.preventDefault();
      (event.target.closest("li")[next]?.querySelector("button") ?? find).focus()
    })
    picker.addEventListener("focusout", (event) => { if (!picker.contains(event.relatedTarget)) found.hidden = true })
  }

  // -- a segment built here
  document.querySelector("#save-segment").addEventListener("click", async () => {
    const body = new FormData(), name = document.querySelector("#segment-name")
    body.set("app", form.elements.app.value)
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value)
    body.set("name", name.value)
    body.set("rule", form.querySelector("[data-segment-builder]").value)
    const answer = await fetch(form.dataset.segment, { method: "POST", body })
    const told = await answer.json(), wrong = form.querySelector('[data-error="segment_name"]')
    wrong.textContent = Object.values(told.errors ?? {}).flat().join(" ")
    if (answer.ok) { name.value = ""; form.querySelector('[data-picker="segments"]').choose(told) }
  })

  // -- a test
  const button = document.querySelector("#send-test"), tested = document.querySelector("#tested")
  const test = new Question(form.dataset.test, 0, (told) => {
    for (const place of form.querySelectorAll("[data-error]")) place.dataset.insist = "yes"
    errors(told.errors ?? {}, (name) => ofMessage.has(name) || name === "test_installs")
    tested.textContent = told.failed ?? (told.errors ? "Nothing was sent." : "")
    if (!told.address) return
    form.elements.test_ticket.value = told.test_ticket
    const link = Object.assign(document.createElement("a"), { href: told.address, target: "_blank", textContent: "Watch it" })
    tested.replaceChildren(`Sent to ${told.installs} install${told.installs === 1 ? "" : "s"}. `, link)
  })
  button.addEventListener("click", async () => { button.disabled = true; await test.ask(); button.disabled = false })

  look()
  times()
  if (form.elements.title.value) check.soon()
  if (form.elements.everyone.checked || form.querySelector(".c-chips li") || form.elements.users.value || form.elements.installs.value) counts()
}

document.querySelector("[data-reloads]")?.addEventListener("change", (event) => event.target.form.submit())

// pressed twice, a button sends once: the server sees to it anyway
document.querySelector("#review")?.addEventListener("submit", (event) => {
  const pressed = event.submitter
  setTimeout(() => { if (pressed) pressed.disabled = true })
})
window.addEventListener("pageshow", () => { for (const one of document.querySelectorAll("[data-once]")) one.disabled = false })
