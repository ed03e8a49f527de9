// What an app and a backend do with the SDK. Reads what it needs as JSON on standard input, and
// writes what it saw as JSON on standard output; nothing is judged here.
const fs = require("node:fs");
const path = require("node:path");

const told = JSON.parse(fs.readFileSync(0, "utf8"));
// packages are installed elsewhere, not beside this file
const sdk = require(path.join(told.modules, told.package));
const ConnectyCube = sdk.default ?? sdk;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const seen = {};
let expired = 0;

async function until(what, holds) {
  for (const end = Date.now() + 30000; Date.now() < end; await sleep(100)) {
    const found = await holds();
    if (found) return found;
  }
  throw new Error(`${what} did not come true`);
}

// the SDK's own way to a path it has no call for; as in its own calls, a DELETE's answer is no JSON
const ask = (type, where, data) => {
  const dataType = type === "DELETE" ? "text" : "json";
  const url = `${told.url}${where}.json`;
  return ConnectyCube.pushnotifications.events.proxy.ajax({ type, url, data, dataType });
};

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return { code: error.code, info: error.info };
  }
  return null;
}

const event = (target, more = {}) => ({
  notification_type: "push",
  environment: "development",
  message: ConnectyCube.pushnotifications.base64Encode(JSON.stringify({ message: "Hello" })),
  ...target,
  ...more,
});

const bodies = (answer) => (Array.isArray(answer) ? answer : [answer]).map((one) => one.event);
const create = async (target, more) =>
  bodies(await ConnectyCube.pushnotifications.events.create(event(target, more)));
const read = async (id) => (await ask("GET", `/events/${id}`)).event;
const ran = (id, count) =>
  until(`event ${id} run ${count} times`, async () => {
    const now = await read(id);
    return now.occured_count >= count && now;
  });

async function sessions() {
  seen.application = await ConnectyCube.createSession();
  const person = { login: "sdk-user", password: "a secret!", external_id: "crm-17", tag_list: "vip" };
  seen.signedUp = (await ConnectyCube.users.signup(person)).user;
  seen.taken = await refused(ConnectyCube.users.signup(person));
  seen.loggedIn = await ConnectyCube.login(person);
  await ConnectyCube.logout();
  seen.user = await ConnectyCube.createSession({ login: person.login, password: person.password });
  seen.updated = (await ConnectyCube.users.update({ full_name: "SDK User" })).user;
  seen.found = await ConnectyCube.users.getV2({ id: { in: [seen.signedUp.id] } });
}

async function subscriptions() {
  const { subscriptions } = ConnectyCube.pushnotifications;
  const device = { platform: "ios", udid: "phone-1" };
  const token = (value) => ({ environment: "development", client_identification_sequence: value });
  seen.subscribed = [
    await subscriptions.create({
      notification_channel: "apns",
      push_token: { ...token(told.apns), bundle_identifier: told.topic },
      device,
    }),
    await subscriptions.create({
      notification_channel: "apns_voip",
      push_token: { ...token(told.voip), bundle_identifier: told.topic },
      device,
    }),
    await subscriptions.create({
      notification_channel: "gcm",
      push_token: token(told.fcm),
      device: { platform: "android", udid: "phone-2" },
    }),
  ];
  seen.wrongToken = await refused(
    subscriptions.create({ notification_channel: "apns", push_token: token(told.fcm), device })
  );
  seen.listed = await subscriptions.list();
  const [extra] = await subscriptions.create({
    notification_channel: "gcm",
    push_token: token(`${told.fcm}-other`),
    device: { platform: "android", udid: "phone-3" },
  });
  await subscriptions.delete(extra.subscription.id);
  seen.left = await subscriptions.list();
}

async function targets() {
  const user = { ids: String(seen.user.user.id) };
  seen.byIds = await create({ user });
  seen.byExternal = await create({ external_user: { ids: "crm-17" } }, { push_type: "apns" });
  seen.byAny = await create({ user: { tags: { any: "vip,other" } } }, { push_type: "gcm" });
  seen.byAll = await create({ user: { tags: { all: "vip" } } }, { push_type: "apns" });
  seen.byExclude = await create({ user: { tags: { exclude: "other" } } }, { push_type: "apns" });
  const message = ConnectyCube.pushnotifications.base64Encode(
    JSON.stringify({ message: "Ring", ios_voip: 1 })
  );
  seen.call = await create({ user }, { message });
  const encoded = ConnectyCube.pushnotifications.base64Encode("New+message+arrived");
  seen.platform = await create({ user }, { push_type: "gcm", message: `data.message=${encoded}` });
  seen.nobody = await refused(create({ user: { ids: "2147483647" } }));
  const made = ["byIds", "byExternal", "byAny", "byAll", "byExclude", "call", "platform"];
  const ids = made.flatMap((name) => seen[name].map((one) => one.id));
  seen.ran = await Promise.all(
    ids.map((id) =>
      until(`event ${id} over`, async () => {
        const now = await read(id);
        return now.occured_count === 1 && !now.active && now;
      })
    )
  );
}

async function schedules() {
  const user = { ids: String(seen.user.user.id) };
  const soon = Math.floor(Date.now() / 1000) + 3;
  const [fixed] = await create({ user }, { push_type: "apns", event_type: "fixed_date", date: soon });
  const series = { push_type: "gcm", event_type: "period_date", date: soon, period: 86400 };
  const [periodic] = await create({ user }, { ...series, end_date: soon + 86400 });
  seen.scheduled = { fixed, periodic };
  seen.fixedRan = await ran(fixed.id, 1);
  seen.periodicRan = await ran(periodic.id, 1);
  seen.paused = (await ask("PUT", `/events/${periodic.id}`, { event: { active: false } })).event;
  seen.resumed = (await ask("PUT", `/events/${periodic.id}`, { event: { active: true } })).event;
  await until("the fixed one over", async () => !(await read(fixed.id)).active);
  await ask("PUT", `/events/${fixed.id}`, { event: { active: true } });
  seen.again = await ran(fixed.id, 2);
  await ask("DELETE", `/events/${periodic.id}`);
  seen.deleted = await refused(read(periodic.id));
  seen.mine = await ask("GET", "/events");
}

async function expiry() {
  const token = ConnectyCube.pushnotifications.events.proxy.getSession()?.token;
  const session = { ...seen.user, token: "no such session" };
  ConnectyCube.pushnotifications.events.proxy.setSession(session);
  seen.refused = await refused(ConnectyCube.pushnotifications.subscriptions.list());
  seen.expired = expired;
  ConnectyCube.pushnotifications.events.proxy.setSession({ ...seen.user, token });
  await ConnectyCube.destroySession();
}

const stories = { sessions, subscriptions, targets, schedules, expiry };

async function main() {
  const credentials = {
    appId: told.application_id,
    authKey: told.auth_key,
    authSecret: told.auth_secret,
  };
  ConnectyCube.init(credentials, {
    ...told.config,
    debug: { mode: 0 },
    on: {
      sessionExpired: (handle) => {
        expired += 1;
        handle();
      },
    },
  });
  for (const name of told.stories) await stories[name]();
}

main().then(
  () => process.stdout.write(JSON.stringify(seen), () => process.exit(0)),
  (error) => {
    process.stderr.write(`${error.stack ?? ""}\n${JSON.stringify(error)}\n`);
    process.exit(1);
  }
);
