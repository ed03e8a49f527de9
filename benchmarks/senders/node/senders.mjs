// The libraries as shipped. Each maker gives a function: tokens in, the number accepted out.
const CALL = 1000; // tokens a call; each library is cheaper a push the more it is given
const FIREBASE_CALL = 500; // the most it takes

export const makers = {
  'peer.node_apn.apns': nodeApn,
  'peer.node_pushnotifications.apns': pushNotificationsApns,
  'peer.node_pushnotifications.fcm': pushNotificationsFcm,
  'peer.firebase_admin_node.fcm': firebaseAdmin,
};

function nodeApn(job, load) {
  const apn = load('@parse/node-apn');
  const provider = new apn.Provider(apnOptions(job));
  return inCalls(CALL, async (tokens) => {
    const push = new apn.Notification();
    push.rawPayload = job.apns.content;
    push.topic = job.apns.topic;
    push.pushType = job.apns.pushType;
    push.priority = job.apns.priority;
    push.expiry = job.apns.expiration;
    push.collapseId = job.apns.collapseId;
    return (await provider.send(push, tokens)).sent.length;
  });
}

function pushNotificationsApns(job, load) {
  const PushNotifications = load('node-pushnotifications');
  const sender = new PushNotifications({ apn: apnOptions(job) });
  const said = {
    rawPayload: job.apns.content,
    topic: job.apns.topic,
    pushType: job.apns.pushType,
    priority: 'high',
    expiry: job.apns.expiration,
    collapseKey: job.apns.collapseId,
  };
  return inCalls(CALL, async (tokens) => accepted(await sender.send(tokens, said)));
}

function pushNotificationsFcm(job, load) {
  const PushNotifications = load('node-pushnotifications');
  const sender = new PushNotifications({ fcm: { appName: 'peer', serviceAccountKey: job.account } });
  const said = {
    custom: job.fcm.data,
    silent: true, // a data message, as the others send
    priority: 'high',
    timeToLive: job.lifetime,
  };
  return inCalls(CALL, async (tokens) => accepted(await sender.send(tokens, said)));
}

function firebaseAdmin(job, load) {
  const admin = load('firebase-admin');
  admin.initializeApp({ credential: admin.credential.cert(job.account) });
  const messaging = admin.messaging();
  const android = { priority: 'high', ttl: job.lifetime * 1000 };
  return inCalls(FIREBASE_CALL, async (tokens) => {
    const messages = tokens.map((token) => ({ token, data: job.fcm.data, android }));
    return (await messaging.sendEach(messages)).successCount;
  });
}

function apnOptions(job) {
  return {
    token: { key: job.key, keyId: job.keyId, teamId: job.teamId },
    production: true,
  };
}

function accepted(results) {
  return results.reduce((sum, result) => sum + result.success, 0);
}

function inCalls(size, send) {
  return async (tokens) => {
    let sum = 0;
    for (let at = 0; at < tokens.length; at += size) sum += await send(tokens.slice(at, at + size));
    return sum;
  };
}
