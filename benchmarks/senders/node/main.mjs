// `node main.mjs < JOB`: warm up, send, and print what it took as JSON, as `benchmarks.senders` does.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answerFor } from './loopback.mjs';
import { makers } from './senders.mjs';

const HOSTS = [
  'api.push.apple.com',
  'fcm.googleapis.com',
  'oauth2.googleapis.com',
];

const job = JSON.parse(readFileSync(0, 'utf8'));
answerFor(HOSTS, job.port);
const send = makers[job.name](job, createRequire(`${job.modules}/`));
const warmed = await send(job.warm);
const done = await measured(job.tokens);
console.log(JSON.stringify({ ...done, warmed }));
process.exit(0);

/** Send, and give what it took: all threads of this process, user and system time. */
async function measured(tokens) {
  const before = process.resourceUsage();
  const began = process.hrtime.bigint();
  const accepted = await send(tokens);
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  const after = process.resourceUsage();
  const user = after.userCPUTime - before.userCPUTime;
  const system = after.systemCPUTime - before.systemCPUTime;
  return { accepted, cpu_seconds: (user + system) / 1e6, wall_seconds: wall };
}
