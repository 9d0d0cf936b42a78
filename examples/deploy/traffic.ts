/** Sends requests of made-up listeners to the player API in the three clusters, until Ctrl-C: `node examples/deploy/traffic.ts [per second]`. */
import { Agent, request } from 'node:http';

const PORTS = [8101, 8102, 8103];
const HOST = 'player-api.default.localhost';
const LISTENERS = 10_000;
const TICK_MS = 50;

const [, , asked = '100'] = process.argv;
const perTick = (Number(asked) * TICK_MS) / 1000;
const agent = new Agent({ keepAlive: true });
const counts = { answered: 0, failed: 0 };

function ask(port: number): void {
  const headers = { host: HOST, 'x-listener': `listener-${Math.floor(Math.random() * LISTENERS)}` };
  const sent = request({ agent, host: '127.0.0.1', port, path: '/', headers }, (answer) => {
    answer.resume();
    counts[(answer.statusCode ?? 0) < 500 ? 'answered' : 'failed'] += 1;
  });
  sent.once('error', () => {
    counts.failed += 1;
  });
  sent.end();
}

let due = 0;
setInterval(() => {
  due += perTick;
  for (; due >= 1; due -= 1) for (const port of PORTS) ask(port);
}, TICK_MS);
setInterval(() => {
  console.log(`${counts.answered} answered, ${counts.failed} failed`);
}, 5_000);
