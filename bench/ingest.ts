import { absolute, median, type Figure } from './figure.ts';
import { load, startBackline } from './load.ts';

const BATCH = 100;
const REQUESTS = 600;
const CONNECTIONS = 16;
const ROUNDS = 3;

/** Events a second that are durable when they are answered: batches of 100 over HTTP, PostgreSQL and all on this machine. */
export async function* run(): AsyncIterable<Figure> {
  const backline = await startBackline(['--no-sample', '--roll-up-seconds', '3600']);
  try {
    await declare(backline.url, backline.token);
    const rates: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const seconds = await load(backline.url, REQUESTS, CONNECTIONS, (index) => ({
        method: 'POST',
        path: '/v1/events',
        body: batch(`${round}-${index}`),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${backline.token}` },
        status: 200,
      }));
      if (round > 0) rates.push((REQUESTS * BATCH) / seconds);
    }
    const stored = await countAccepted(backline.url);
    if (stored !== REQUESTS * BATCH * (ROUNDS + 1)) throw new Error(`only ${stored} events were accepted`);
    yield absolute('ingest/durable', 'events/s', median(rates), { min: 20_000 });
  } finally {
    await backline.close();
  }
}

async function declare(url: string, token: string): Promise<void> {
  const answer = await fetch(`${url}/apis/events.backline.dev/v1/namespaces/default/eventtypes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'events.backline.dev/v1',
      kind: 'EventType',
      metadata: { name: 'play' },
      spec: {
        owner: 'bench',
        purpose: 'bench',
        subject: 'required',
        retention: 'P30D',
        schema: {
          properties: {
            track: { type: 'string' },
            seconds: { type: 'number' },
            skipped: { type: 'boolean' },
            plan: { type: 'string' },
            market: { type: 'string' },
          },
          required: ['track', 'seconds'],
        },
      },
    }),
  });
  if (answer.status !== 201) throw new Error(await answer.text());
  while (!(await (await fetch(`${url}/readyz`)).text()).startsWith('ok'))
    await new Promise((done) => setTimeout(done, 50));
}

function batch(name: string): string {
  const at = new Date().toISOString();
  const events = Array.from({ length: BATCH }, (_, index) => ({
    type: 'play',
    id: `${name}-${index}`,
    at,
    subject: `listener-${(index * 7919) % 20_000}`,
    properties: {
      track: `track-${index}`,
      seconds: 12.5 + index,
      skipped: index % 3 === 0,
      plan: 'free',
      market: 'se',
    },
  }));
  return JSON.stringify({ sentAt: at, events });
}

/** Events that the server says it has accepted. */
async function countAccepted(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^backline_events_total\{type="play",outcome="accepted"\} (\d+)/m.exec(text)?.[1] ?? 0);
}
