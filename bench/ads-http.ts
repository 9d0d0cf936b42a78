import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chance } from '#simulation/chance.ts';
import type { Run, RunResult } from './ads-load.ts';
import { CLIENT_KEY, dropCaps, makeAdsWorld, questionOf } from './ads-world.ts';
import { absolute, against, median, type Figure } from './figure.ts';
import { cpuSeconds, startBackline, startScript, type Server } from './load.ts';
import { postgresCpuSeconds } from './process-cpu.ts';

/** BENCH_AD_SETS, BENCH_HISTORIES, BENCH_LISTENERS and BENCH_REQUESTS make it smaller. */
const AD_SETS = Number(process.env['BENCH_AD_SETS'] ?? 100_000);
const HISTORIES = Number(process.env['BENCH_HISTORIES'] ?? 1_000_000);
const LISTENERS = Number(process.env['BENCH_LISTENERS'] ?? 200_000);
const REQUESTS = Number(process.env['BENCH_REQUESTS'] ?? 20_000);
/** A folder that `makeAdsWorld` has filled, for profiles: only what is as shipped is measured, and it is left there. */
const DATA = process.env['BENCH_DATA'];
const WARM_REQUESTS = 3 * REQUESTS;
/** A node that answers thousands a second has hundreds. */
const CONNECTIONS = 128;
const ROUNDS = 5;
const PACED_SECONDS = 30;
const SETTLING_SECONDS = 5;
/** Questions whose answers the bare server is given one of: that of the median length. */
const SAMPLES = 99;
const EXPLAINED = 50;

/**
 * Breaks of up to three among 100,000 ad sets over HTTP, as shipped: caps, a load, histories of 1 M listeners, budgets, tokens, consent,
 * records of listeners. Beside it a bare server that answers the same bytes, and the same without caps and load. Both processors
 * are shared with PostgreSQL, whose CPU stands by itself, and with the sender.
 */
export async function* run(): AsyncIterable<Figure> {
  const data = DATA ?? (await mkdtemp(join(tmpdir(), 'backline-bench-')));
  const { child: sender } = await startScript('bench/ads-load.ts', [String(LISTENERS)], { channel: true });
  try {
    if (DATA === undefined) await makeAdsWorld(data, { adSets: AD_SETS, histories: HISTORIES });
    yield* await measure(data, sender, 'as shipped');
    if (DATA !== undefined) return;
    await dropCaps(data);
    yield* await measure(data, sender, 'matching only');
  } finally {
    sender.kill();
    if (DATA === undefined) await rm(data, { recursive: true, force: true });
  }
}

interface MeasuredRun {
  /** Seconds. */
  readonly cpu: number;
  readonly result: RunResult;
}

interface Round {
  readonly ours: MeasuredRun;
  readonly peer: MeasuredRun;
  /** CPU seconds of PostgreSQL. */
  readonly database: number;
}

async function measure(data: string, sender: ChildProcess, name: string): Promise<readonly Figure[]> {
  const server = await startBackline(['--no-simulation'], data);
  const bare = await startScript('bench/bare-server.ts', [await sampleAnswer(server)]);
  try {
    const send = (run: Run): Promise<RunResult> => ask(sender, run);
    const shared = { requests: REQUESTS, connections: CONNECTIONS };
    await send({ ...shared, url: server.url, requests: WARM_REQUESTS });
    await send({ ...shared, url: bare.url });
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const databaseBefore = postgresCpuSeconds(server.pid);
      const ours = await cpuOf(server.url, () => send({ ...shared, url: server.url }));
      const database = postgresCpuSeconds(server.pid) - databaseBefore;
      const peer = await cpuOf(bare.url, () => send({ ...shared, url: bare.url }));
      rounds.push({ ours, database, peer });
    }
    const perSecond = median(rounds.map(({ ours }) => REQUESTS / ours.result.seconds));
    const rate = Math.floor(perSecond / 2);
    const slow = { ...shared, rate, requests: rate * PACED_SECONDS };
    // At first the garbage of the rounds at full speed is collected.
    await send({ ...slow, url: server.url, requests: rate * SETTLING_SECONDS });
    const late = await send({ ...slow, url: server.url });
    const bareLate = await send({ ...slow, url: bare.url });
    const explained = await cpuOf(server.url, () =>
      send({ url: server.url, path: '/v1/ads/explain', requests: EXPLAINED, connections: 2 }),
    );
    const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
    const at = `ads-http/${name}`;
    return [
      {
        ...against(
          at,
          'decisions per CPU second of the node',
          of(({ ours }) => REQUESTS / ours.cpu),
          of(({ peer }) => REQUESTS / peer.cpu),
          { min: 0.6 },
        ),
        ratio: Number(of(({ ours, peer }) => peer.cpu / ours.cpu).toPrecision(3)),
      },
      absolute(
        `${at}: CPU of the node`,
        'µs a decision',
        of(({ ours }) => (ours.cpu / REQUESTS) * 1e6),
        { max: 40 },
      ),
      absolute(
        `${at}: CPU of PostgreSQL`,
        'µs a decision',
        of(({ database }) => (database / REQUESTS) * 1e6),
        { max: 40 },
      ),
      absolute(`${at}: by wall time`, 'decisions/s', perSecond, { min: 15_000 }),
      absolute(
        `${at}: with ads`,
        'share',
        of(({ ours }) => ours.result.withAds),
        { min: 0.9 },
      ),
      against(`${at}: p99 at ${rate}/s`, 'ms', late.p99Ms, bareLate.p99Ms, { max: 3 }),
      absolute(`${at}: p50 at ${rate}/s`, 'ms', late.p50Ms, { max: 5 }, bareLate.p50Ms),
      absolute(`${at}: explain, not counted above`, 'ms of CPU', (explained.cpu / EXPLAINED) * 1e3, { max: 1_000 }),
    ];
  } finally {
    bare.child.kill();
    await server.close();
  }
}

async function ask(sender: ChildProcess, run: Run): Promise<RunResult> {
  const stop = new AbortController();
  const failed = once(sender, 'exit', { signal: stop.signal }).then(() => {
    throw new Error('the sender has failed');
  });
  sender.send(run);
  const [result] = (await Promise.race([once(sender, 'message'), failed])) as [RunResult];
  failed.catch(() => {});
  stop.abort();
  return result;
}

async function cpuOf(url: string, work: () => Promise<RunResult>): Promise<MeasuredRun> {
  const before = await cpuSeconds(url);
  const result = await work();
  return { cpu: (await cpuSeconds(url)) - before, result };
}

/** The answer of the median length, once breaks are answered with ads. */
async function sampleAnswer({ url }: Server): Promise<string> {
  const luck = chance(3);
  const answers: string[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const body = questionOf(luck, Math.floor(luck.next() * LISTENERS));
    const answer = await fetch(`${url}/v1/ads/decide`, { method: 'POST', headers, body });
    if (answer.status !== 200) throw new Error(await answer.text());
    answers.push(await answer.text());
  }
  answers.sort((a, b) => a.length - b.length);
  return answers[Math.floor(SAMPLES / 2)] ?? '';
}
