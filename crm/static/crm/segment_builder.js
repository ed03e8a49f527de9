// A rule of a segment, built from selects and boxes instead of written as JSON.
// The textarea stays what is sent; below it the rule is said in words and counted, half a second
// after the last change. A question that is no longer wanted is called off.

const VERSION = 1, PAUSE = 500
const NAMES = {
  equals: "is", not: "is not", in: "is one of", greater: "is greater than", less: "is less than",
  between: "is between", contains: "contains", starts_with: "starts with", exists: "is set",
  before: "is before", after: "is after", within_days: "is within the last days",
}
const FIELDS = {
  last_active: "last active", os_version: "OS version", app_version: "app version",
  timezone: "time zone", opened: "has opened", received: "received a push", user: "user id",
}
const GROUPS = { all: "all of these", any: "any of these" }

const make = (tag, said = {}, ...inside) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(said)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value != null) element.setAttribute(name, value)
  }
  element.append(...inside)
  return element
}

// what is typed of an attribute: a number, true, false and null are those; quotes make it text
const typed = (text, type) => {
  if (type === "text" || type === "moment") return text
  if (type === "number") return /^\d+$/.test(text) ? Number(text) : text
  if (/^(-?\d+(\.\d+)?|true|false|null|".*"|\{.*\}|\[.*\])$/s.test(text.trim())) {
    try { return JSON.parse(text) } catch { return text }
  }
  return text
}
const shown = (value, type) => {
  if (value === null || value === undefined) return value === null ? "null" : ""
  if (typeof value !== "string") return JSON.stringify(value)
  return type === "any" && typeof typed(value, type) !== "string" ? JSON.stringify(value) : value
}

// every node of ours has a flag for its opposite, whatever the document nests
const read = (node) => {
  let not = false
  while (node && typeof node === "object" && "not" in node) { not = !not; node = node.not }
  for (const kind of ["all", "any"]) {
    if (node && Array.isArray(node[kind])) return { not, kind, nodes: node[kind].map(read) }
  }
  return { not, kind: "leaf", ...(node || {}) }
}
const written = (node) => {
  let said
  if (node.kind === "leaf") {
    said = { field: node.field, op: node.op }
    if (node.field === "attribute") said.name = node.name ?? ""
    if (node.op !== "exists") said.value = node.value ?? ""
  } else said = { [node.kind]: node.nodes.map(written) }
  return node.not ? { not: said } : said
}

class Builder {
  constructor(box) {
    this.box = box
    this.words = JSON.parse(box.dataset.vocabulary)
    this.tree = this.parse() ?? { not: false, kind: "all", nodes: [this.leaf()] }
    this.root = make("div", { class: "sb-root" })
    this.told = make("p", { class: "sb-words", role: "status", "aria-live": "polite" })
    this.counted = make("p", { class: "sb-count", role: "status", "aria-live": "polite" })
    this.wrong = make("ul", { class: "sb-wrong", role: "alert" })
    box.before(this.root)
    box.after(this.told, this.counted, this.wrong)
    if (!box.hidden) {
      box.before(make("details", {}, make("summary", {}, "As JSON")))
      box.previousElementSibling.append(box)
      box.addEventListener("change", () => {
        const tree = this.parse()
        if (tree) { this.tree = tree; this.draw() }
        this.ask()
      })
    }
    this.app = document.querySelector("#id_app")
    this.app?.addEventListener("change", () => this.ask())
    this.draw()
    this.store()
  }

  parse() {
    try {
      const document_ = JSON.parse(this.box.value)
      if (!document_ || document_.version !== VERSION || !document_.where) return null
      const tree = read(document_.where)
      return tree.kind === "leaf" ? { not: false, kind: "all", nodes: [tree] } : tree
    } catch { return null }
  }

  leaf() { return { not: false, kind: "leaf", field: "attribute", name: "", op: "equals", value: "" } }

  get rule() { return { version: VERSION, where: written(this.tree) } }

  store() {
    this.box.value = JSON.stringify(this.rule, null, 1)
    this.box.dispatchEvent(new Event("input", { bubbles: true }))
    this.ask()
  }

  draw(focus) {
    this.root.replaceChildren(this.group(this.tree, "rule.where", null))
    if (focus) this.root.querySelector(`[data-path="${CSS.escape(focus)}"] select, [data-path="${CSS.escape(focus)}"] input`)?.focus()
  }

  changed(focus) { this.draw(focus); this.store() }

  // where the server will say something is wrong: our flag is a node of the document
  at(node, path) { return node.not ? `${path}.not` : path }

  group(node, path, drop) {
    const here = this.at(node, path), inside = make("ul", { class: "sb-nodes" })
    node.nodes.forEach((one, n) => {
      const where = `${here}.${node.kind}[${n}]`
      const gone = () => { node.nodes.splice(n, 1); this.changed() }
      inside.append(make("li", {}, one.kind === "leaf" ? this.line(one, where, gone) : this.group(one, where, gone)))
    })
    const add = (one) => { node.nodes.push(one); this.changed(`${here}.${node.kind}[${node.nodes.length - 1}]`) }
    return make("fieldset", { class: "sb-group", "data-path": path },
      make("legend", {}, "People for whom ", this.opposite(node), this.select(GROUPS, node.kind, "Group", (kind) => { node.kind = kind; this.changed(path) }), " hold"),
      inside,
      make("div", { class: "sb-more" },
        make("button", { type: "button", onclick: () => add(this.leaf()) }, "Add condition"),
        make("button", { type: "button", onclick: () => add({ not: false, kind: "any", nodes: [this.leaf()] }) }, "Add group"),
        ...(drop ? [make("button", { type: "button", onclick: drop }, "Remove group")] : [])))
  }

  opposite(node) {
    const box = make("input", { type: "checkbox", onchange: (e) => { node.not = e.target.checked; this.store() } })
    box.checked = node.not
    return make("label", { class: "sb-not" }, box, " not ")
  }

  select(options, chosen, label, change) {
    const element = make("select", { "aria-label": label, onchange: (e) => change(e.target.value) })
    for (const [value, text] of Object.entries(options)) {
      const option = make("option", { value }, text)
      option.selected = value === chosen
      element.append(option)
    }
    return element
  }

  line(node, path, drop) {
    const fields = Object.fromEntries(Object.keys(this.words).map((f) => [f, FIELDS[f] ?? f]))
    const known = this.words[node.field] ?? this.words.attribute
    const ops = Object.fromEntries(known.ops.map((op) => [op, NAMES[op] ?? op]))
    const line = make("div", { class: "sb-line", "data-path": path }, this.opposite(node),
      this.select(fields, node.field, "Field", (field) => {
        const ops_ = this.words[field].ops
        Object.assign(node, { field, op: ops_.includes(node.op) ? node.op : ops_[0], value: "" })
        this.changed(path)
      }))
    if (node.field === "attribute") {
      line.append(this.input(Array.isArray(node.name) ? node.name.join(" › ") : node.name, "Name of the attribute", (text) => {
        node.name = text.includes("›") ? text.split("›").map((key) => key.trim()) : text
      }, { placeholder: "name, or path › of › keys" }))
    }
    line.append(this.select(ops, node.op, "Comparison", (op) => {
      const listed = ["in", "between"]
      if (listed.includes(op) !== listed.includes(node.op) || op === "exists" || op === "within_days") node.value = ""
      node.op = op
      this.changed(path)
    }), ...this.value(node, known))
    line.append(make("button", { type: "button", "aria-label": "Remove condition", onclick: drop }, "×"))
    return line
  }

  input(value, label, change, said = {}) {
    const element = make("input", { "aria-label": label, ...said, oninput: (e) => { change(e.target.value); this.store() } })
    element.value = value ?? ""
    return element
  }

  value(node, known) {
    const time = { placeholder: "2021-08-31 or 2021-08-31T13:55:58Z" }
    switch (node.op) {
      case "exists": return []
      case "within_days": return [this.input(node.value, "Days", (t) => { node.value = typed(t, "number") }, { type: "number", min: 1 })]
      case "before": case "after": return [this.input(node.value, "Moment", (t) => { node.value = t }, time)]
      case "in": {
        const list = Array.isArray(node.value) ? node.value.map((v) => shown(v, known.type)).join(", ") : ""
        return [this.input(list, "Values, separated by commas", (t) => {
          node.value = t.split(",").map((v) => v.trim()).filter(Boolean).map((v) => typed(v, known.type))
        }, { placeholder: "one, another, …" })]
      }
      case "between": {
        if (!Array.isArray(node.value)) node.value = ["", ""]
        return [0, 1].map((n) => this.input(shown(node.value[n], known.type), n ? "To" : "From", (t) => { node.value[n] = typed(t, known.type) }, known.type === "moment" ? time : {}))
      }
    }
    if (known.choices.length) {
      if (!known.choices.includes(node.value)) node.value = known.choices[0]
      return [this.select(Object.fromEntries(known.choices.map((c) => [c, c])), node.value, "Value", (v) => { node.value = v; this.store() })]
    }
    return [this.input(shown(node.value, known.type), "Value", (t) => { node.value = typed(t, known.type) }, known.type === "number" ? { type: "number", min: 1 } : {})]
  }

  ask() {
    clearTimeout(this.timer)
    this.question?.abort()
    this.timer = setTimeout(() => this.count(), PAUSE)
  }

  async count() {
    const app = this.box.dataset.app || this.app?.value
    if (!app || !this.root.checkVisibility()) return
    this.question = new AbortController()
    this.counted.textContent = "counting …"
    const body = new FormData()
    body.set("app", app)
    body.set("rule", this.box.value)
    body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value)
    try {
      const answer = await fetch(this.box.dataset.ask, { method: "POST", body, signal: this.question.signal })
      this.show(await answer.json())
    } catch (error) {
      if (error.name !== "AbortError") this.counted.textContent = "not counted: no answer"
    }
  }

  show(told) {
    this.told.textContent = told.words ?? ""
    const n = told.counts
    this.counted.textContent = told.slow || (n ? `${n.users.toLocaleString("en")} users, ${n.installs.toLocaleString("en")} installs, ${n.reachable.toLocaleString("en")} devices reachable now` : "")
    const wrong = Object.entries(told.errors ?? {})
    this.wrong.replaceChildren(...wrong.map(([at, why]) => make("li", {}, `${at}: ${why.join(" ")}`)))
    for (const line of this.root.querySelectorAll("[data-path]")) {
      const path = line.dataset.path
      const bad = line.matches(".sb-line") && wrong.some(([at]) => at === path || at.startsWith(`${path}.`))
      line.classList.toggle("sb-bad", bad)
    }
  }
}

for (const box of document.querySelectorAll("textarea[data-segment-builder]")) {
  const start = () => { box.builder ??= new Builder(box) }
  const closed = box.closest("details:not([open])")
  if (closed) closed.addEventListener("toggle", () => { start(); box.builder.ask() }, { once: true })
  else start()
}
