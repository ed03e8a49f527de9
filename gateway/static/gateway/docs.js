// Lists the operations of openapi.json; every text is set as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function resolve(schema, root) {
  const seen = new Set();
  while (schema && schema.$ref && !seen.has(schema.$ref)) {
    seen.add(schema.$ref);
    schema = schema.$ref.replace("#/", "").split("/").reduce((at, key) => at && at[key], root);
  }
  return schema || {};
}

// a skeleton of a value of this schema
function outline(schema, root, depth = 0) {
  const found = resolve(schema, root);
  const only = (found.oneOf || found.allOf || [])[0];
  if (only) return outline(only, root, depth);
  if (found.enum) return found.enum.join(" | ");
  if (found.type === "array") return [outline(found.items, root, depth + 1)];
  if (found.properties && depth < 6) {
    const required = new Set(found.required || []);
    return Object.fromEntries(
      Object.entries(found.properties).map(([key, inner]) => [
        required.has(key) ? key : key + "?",
        outline(inner, root, depth + 1),
      ])
    );
  }
  return found.type || "any";
}

// the shape of a body, and the examples there are of it
function body(content, root) {
  const json = content && content["application/json"];
  if (!json || !json.schema) return null;
  const shown = make("div");
  shown.append(make("pre", JSON.stringify(outline(json.schema, root), null, 2)));
  for (const [name, example] of Object.entries(json.examples || {})) {
    const box = make("details");
    const line = make("summary");
    line.append(make("span", "example"), make("code", name), make("span", example.summary || ""));
    box.append(line, make("pre", JSON.stringify(example.value, null, 2)));
    shown.append(box);
  }
  return shown;
}

function answers(responses, root) {
  const table = make("table");
  for (const [status, answer] of Object.entries(responses || {})) {
    const row = table.insertRow();
    row.append(make("th", status));
    const cell = make("td", answer.description || "");
    const shown = body(answer.content, root);
    if (shown) cell.append(shown);
    row.append(cell);
  }
  return table;
}

function operation(path, method, said, root) {
  const box = make("details");
  const line = make("summary");
  line.append(make("span", method.toUpperCase(), "method"));
  line.append(make("code", path, "path"));
  line.append(make("span", said.summary || ""));
  box.append(line, make("p", said.description || ""));
  const asked = said.requestBody && body(said.requestBody.content, root);
  if (asked) box.append(make("h3", "Request"), asked);
  box.append(make("h3", "Answers"), answers(said.responses, root));
  return box;
}

async function show() {
  const main = document.getElementById("operations");
  try {
    const answer = await fetch(main.dataset.schema, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error("status " + answer.status);
    const root = await answer.json();
    document.getElementById("title").textContent = root.info.title + " " + root.info.version;
    const boxes = Object.entries(root.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((m) => operation(path, m, item[m], root))
    );
    main.replaceChildren(...boxes);
    const find = document.getElementById("find");
    const narrow = () => {
      const word = find.value.trim().toLowerCase();
      for (const box of boxes) box.hidden = !box.firstChild.textContent.toLowerCase().includes(word);
    };
    find.addEventListener("input", narrow);
    // somebody may have typed before the schema was here
    narrow();
  } catch (problem) {
    main.replaceChildren(make("p", "The schema could not be read: " + problem.message));
  }
}

show();
