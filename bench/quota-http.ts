import { Agent, request } from 'node:http';
import { absolute, type Figure } from './figure.ts';
import { startBackline } from './load.ts';

const RATE = 3_000;
const SECONDS = 10;
/** From a cold start at the full rate: until then the program is compiled and what came meanwhile is worked off. */
const WARM_SECONDS = 5;
const LISTENERS = 2_000;
/** Requests are begun on the beat, whether earlier ones are answered or not: three at a time, not a burst. */
const BEAT_MS = 1;

/** How long a durable consume takes over HTTP at 3,000 a second, the one that sends on the same machine. */
export async function* run(): AsyncIterable<Figure> {
  const backline = await startBackline(['--no-simulation']);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  try {
    const took: number[] = [];
    let sent = 0;
    let open = 0;
    const { hostname, port } = new URL(backline.url);
    /** From when it was due: what the sender is late counts, too. */
    const consume = (dueMs: number, isCounted: boolean): void => {
      const number = (sent += 1);
      open += 1;
      const body = JSON.stringify({
        listener: `listener-${(number * 7919) % LISTENERS}`,
        plan: 'premium',
        market: 'de',
        feature: 'audiobooks',
        amount: 1,
        key: `bench-${number}`,
      });
      const asked = request(
        {
          agent,
          hostname,
          port,
          method: 'POST',
          path: '/v1/consume',
          headers: {
            authorization: `Bearer ${backline.token}`,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        (answer) => {
          answer.resume();
          answer.once('end', () => {
            open -= 1;
            if (answer.statusCode !== 200) throw new Error(`a consume was answered with ${answer.statusCode}`);
            if (isCounted) took.push(performance.now() - dueMs);
          });
        },
      );
      asked.end(body);
    };
    const begunMs = performance.now();
    let begun = 0;
    while (begun < RATE * (SECONDS + WARM_SECONDS)) {
      const due = Math.floor(((performance.now() - begunMs) * RATE) / 1_000);
      for (; begun < due; begun += 1) consume(begunMs + (begun * 1_000) / RATE, begun >= RATE * WARM_SECONDS);
      await new Promise((done) => setTimeout(done, BEAT_MS));
    }
    const behind = open;
    while (open > 0) await new Promise((done) => setTimeout(done, BEAT_MS));
    took.sort((a, b) => a - b);
    const quantile = (q: number): number => took[Math.floor(took.length * q)] ?? Number.NaN;
    yield absolute('quota-http/consume p50 at 3,000/s', 'ms', quantile(0.5), { max: 5 });
    yield absolute('quota-http/consume p99 at 3,000/s', 'ms', quantile(0.99), { max: 5 });
    yield absolute('quota-http/under way at the end', 'requests', behind, { max: 300 });
  } finally {
    agent.destroy();
    await backline.close();
  }
}
