// Draws the phones and keeps them up to date. Everything a push brings is set as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const list = byId("phones");
const seats = new Map();
const clocks = new Map();
const HUES = [230, 285, 335, 205, 168, 255, 312, 190, 348, 218];
let settled = false; // once the first picture is drawn, what arrives is animated
const DONE = { tapped: "✓ Opened", dismissed: "Dismissed" };

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function webAddress(text) {
  try {
    const address = new URL(text);
    return address.protocol === "http:" || address.protocol === "https:" ? address : null;
  } catch {
    return null;
  }
}

function appName(phone) {
  const last = phone.topic.split(".").pop() || "App";
  return last.charAt(0).toUpperCase() + last.slice(1);
}

function ago(ms) {
  const minutes = Math.floor((Date.now() - ms) / 60000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes}m`;
  return minutes < 1440 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 1440)}d`;
}

function touch(phone, push, how) {
  fetch(`/phones/${phone.id}/pushes/${push.n}/${how}`, { method: "POST" }).catch(() => show("lost"));
}

// -- one phone --------------------------------------------------------------------------------------

function newSeat(phone) {
  const seat = make("li", `seat ${phone.platform}`);
  const device = make("article", "phone");
  device.style.setProperty("--hue", String(HUES[phone.id % HUES.length]));
  device.setAttribute("aria-label", `${phone.name}, ${kind(phone)}`);
  const screen = make("div", "screen");
  const clock = make("div", "clock");
  const day = make("div", "day");
  const time = make("div", "time");
  clock.append(...(phone.platform === "ios" ? [day, time] : [time, day]));
  const notices = make("ul", "notices");
  const dock = make("div", "dock");
  const app = make("div", "app", appName(phone).charAt(0));
  const badge = make("span", "badge");
  app.append(badge);
  dock.append(app);
  screen.append(make("div", "island"), clock, notices, dock);
  device.append(screen);
  const owner = make("div", "owner");
  const who = make("span");
  const trouble = make("span", "trouble");
  owner.append(make("strong", "", phone.name), who, trouble);
  seat.append(device, owner);
  clocks.set(phone.id, { day, time, zone: phone.timezone });
  list.append(seat);
  const parts = { seat, notices, badge, who, trouble, pushes: new Map() };
  seats.set(phone.id, parts);
  return parts;
}

function kind(phone) {
  if (phone.platform === "android") return "Android";
  return phone.environment === "sandbox" ? "iPhone · sandbox" : "iPhone";
}

function trouble(phone) {
  if (phone.complaints.length) return phone.complaints[phone.complaints.length - 1];
  if (phone.last_error) return `gateway: ${phone.last_error}`;
  return "";
}

function drawPhone(phone) {
  const parts = seats.get(phone.id) || newSeat(phone);
  parts.badge.hidden = phone.badge === 0;
  parts.badge.textContent = String(phone.badge);
  parts.badge.setAttribute("aria-label", `badge ${phone.badge}`);
  parts.who.textContent = [kind(phone), phone.user || "anonymous", phone.registered ? "" : "registering…"]
    .filter(Boolean)
    .join(" · ");
  parts.trouble.textContent = trouble(phone);
  const present = new Set(phone.pushes.map((push) => push.n));
  for (const [number, old] of parts.pushes) {
    if (!present.has(number)) {
      old.remove();
      parts.pushes.delete(number);
    }
  }
  parts.notices.querySelector(".quiet")?.remove();
  phone.pushes.forEach((push, index) => {
    let notice = parts.pushes.get(push.n);
    if (!notice) {
      notice = newNotice(phone, push);
      parts.pushes.set(push.n, notice);
      parts.notices.insertBefore(notice, parts.notices.children[index] || null);
      if (index === 0) parts.notices.scrollTop = 0;
    }
    settle(notice, push);
  });
  if (!phone.pushes.length) parts.notices.append(make("li", "quiet", "No notifications"));
}

// -- one notification -------------------------------------------------------------------------------

function newNotice(phone, push) {
  const notice = make("li", settled ? "notice fresh" : "notice");
  const sheet = make("div", "sheet");
  notice.append(sheet);
  if (push.state === "silent") {
    sheet.append(make("div", "woken", "woken in background"));
    return notice;
  }
  const tap = make("button", "tap");
  tap.type = "button";
  tap.setAttribute("aria-label", `Open on ${phone.name}: ${push.title} ${push.body}`);
  tap.addEventListener("click", () => touch(phone, push, "tap"));
  tap.append(make("span", "app", appName(phone).charAt(0)), words(phone, push));
  const picture = pictureOf(push);
  if (picture) {
    tap.classList.add("pictured");
    tap.append(picture);
  }
  const away = make("button", "dismiss", "×");
  away.type = "button";
  away.setAttribute("aria-label", `Dismiss on ${phone.name}: ${push.title}`);
  away.addEventListener("click", () => touch(phone, push, "dismiss"));
  sheet.append(tap, extras(push), away);
  return notice;
}

function words(phone, push) {
  const block = make("span", "words");
  const when = make("span", "meta");
  when.dataset.at = String(push.at_ms);
  when.dataset.before = phone.platform === "android" ? `${appName(phone)} · ` : "";
  const title = make("span", "title", push.title || appName(phone));
  if (phone.platform === "ios") {
    const top = make("span", "top");
    top.append(title, when);
    block.append(top);
  } else {
    block.append(when, title);
  }
  block.append(make("span", "body", push.body));
  tell(when);
  return block;
}

function pictureOf(push) {
  const address = push.image && webAddress(push.image);
  if (!address) return null;
  const picture = make("img", "picture");
  picture.alt = "";
  picture.referrerPolicy = "no-referrer";
  picture.addEventListener("error", () => {
    picture.parentElement?.classList.remove("pictured");
    picture.remove();
  });
  picture.src = address.href;
  return picture;
}

function extras(push) {
  const row = make("div", "extra");
  const address = push.url && webAddress(push.url);
  if (address) {
    const link = make("a", "", address.host + (address.pathname === "/" ? "" : address.pathname));
    link.href = address.href;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    row.append(link);
  } else if (push.url) {
    row.append(make("span", "", push.url));
  }
  for (const text of push.buttons) row.append(make("span", "action", text));
  if (push.background) row.append(make("span", "woken", "woken in background"));
  if (push.times > 1) row.append(make("span", "", `replaced, ${push.times} copies`));
  row.append(make("span", "done"));
  return row;
}

function settle(notice, push) {
  if (notice.dataset.state === push.state) return;
  notice.dataset.state = push.state;
  const over = push.state === "tapped" || push.state === "dismissed";
  const done = notice.querySelector(".done");
  if (done) done.textContent = DONE[push.state] || "";
  // a hidden button gives its focus to the line that replaces it
  const row = notice.querySelector(".tap");
  if (!row) return;
  const held = over && notice.contains(document.activeElement);
  row.disabled = over;
  notice.querySelector(".dismiss").hidden = over;
  if (held) {
    notice.tabIndex = -1;
    notice.focus({ preventScroll: true });
  }
}

// -- time -------------------------------------------------------------------------------------------

function tell(when) {
  when.textContent = when.dataset.before + ago(Number(when.dataset.at));
}

function tick() {
  const now = new Date();
  for (const { day, time, zone } of clocks.values()) {
    const timeZone = zone || undefined;
    time.textContent = now.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
    day.textContent = now.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone });
  }
  document.querySelectorAll(".meta[data-at]").forEach(tell);
}

// -- the stream -------------------------------------------------------------------------------------

function show(state) {
  byId("link").dataset.state = state;
  const texts = { live: "Live", waiting: "Connecting", lost: "Connection lost, trying again" };
  byId("link-text").textContent = texts[state];
}

function draw(update) {
  if (update.fresh) {
    list.replaceChildren();
    seats.clear();
    clocks.clear();
  }
  for (const name of ["phones", "landed", "opened", "dismissed"]) {
    byId(`count-${name}`).textContent = update.counts[name].toLocaleString("en");
  }
  settled = !update.fresh;
  update.phones.forEach(drawPhone);
  const total = update.counts.phones;
  byId("empty").hidden = total > 0;
  byId("note").hidden = total <= update.shown;
  byId("note").textContent = `Showing ${update.shown} of ${total.toLocaleString("en")} phones; the counts are of all.`;
  if (update.phones.length) tick();
}

byId("snippet").textContent = `curl -X POST ${location.origin}/phones \\
  -H 'content-type: application/json' \\
  -d '{"platform": "ios", "name": "Ada", "count": 3,
       "gateway": "http://127.0.0.1:8000",
       "api_key": "API KEY", "secret_key": "SECRET KEY"}'`;
byId("copy").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(byId("snippet").textContent);
  event.target.textContent = "Copied";
});
const stream = new EventSource("/phones/stream");
stream.addEventListener("open", () => show("live"));
stream.addEventListener("error", () => show("lost"));
stream.addEventListener("message", (event) => draw(JSON.parse(event.data)));
setInterval(tick, 10000);
