import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { Ad } from '#domains/ads/kinds/ad.ts';
import { AdSet } from '#domains/ads/kinds/ad-set.ts';
import { Advertiser } from '#domains/ads/kinds/advertiser.ts';
import { Asset } from '#domains/ads/kinds/asset.ts';
import { Campaign } from '#domains/ads/kinds/campaign.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { absolute, type Figure } from './figure.ts';
import { startBackline } from './load.ts';
import { measureStart, type MeasuredProcess } from './measure-start.ts';
import { insertObjects, type Row } from './stored-rows.ts';

/** Advertisers; what they have grows with them. BENCH_ADVERTISERS names others. */
const ADVERTISERS = Number(process.env['BENCH_ADVERTISERS'] ?? 200_000);
/** For each advertiser. */
const EACH = { campaigns: 1.25, adSets: 1.5, ads: 2, assets: 2 } as const;
/** At 200,000 advertisers. */
const GOALS = {
  api: { megabytes: 3_000, seconds: 30 },
  decide: { megabytes: 1_500, seconds: 20 },
} as const;
/** No question about health waits longer. */
const HEALTH_MS_MAX = 1_000;
/** Values of each attribute, and how many of them a rule names. */
const SHAPE = { market: [80, 4], device: [12, 3], language: [40, 2], genre: [200, 5], age: [6, 2] } as const;

/**
 * A large marketplace: 200,000 advertisers with 1.55 million objects in all. One process with the resource API, and one that
 * decides and follows it over HTTP: memory, time to ready, and the longest time that health was not answered.
 */
export async function* run(): AsyncIterable<Figure> {
  const data = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  try {
    await declareFirst(data);
    await insertObjects(data, rowsOf(chance(1)));
    const postgres = await startEmbeddedPostgres({ dataDirectory: data });
    const env = { DATABASE_URL: postgres.url };
    try {
      const api = await measureStart(['serve', '--role', 'api', '--data', data], env);
      yield* figuresOf('api', api);
      const follow = ['--api', api.url, '--kubeconfig', join(data, 'kubeconfig')];
      const decide = await measureStart(['serve', '--role', 'decide', '--data', data, ...follow], env);
      yield* figuresOf('decide', decide);
      await decide.stop();
      await api.stop();
    } finally {
      await postgres.close();
    }
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

function* figuresOf(role: keyof typeof GOALS, measured: MeasuredProcess): Iterable<Figure> {
  const at = `ads-memory/${role}`;
  const share = ADVERTISERS / 200_000;
  const { megabytes, seconds } = GOALS[role];
  const objects = ADVERTISERS * (1 + EACH.campaigns + EACH.adSets + EACH.ads + EACH.assets);
  yield absolute(`${at}/held, with the program`, 'B/object', measured.heldBytes / objects, { max: 2_000 });
  yield absolute(`${at}/process`, 'MB', measured.residentBytes / 1e6, { max: Math.max(300, megabytes * share) });
  yield absolute(`${at}/ready`, 's', measured.secondsToReady, { max: Math.max(5, seconds * share) });
  yield absolute(`${at}/ready`, 's CPU', measured.cpuReady, { max: Math.max(5, seconds * share) });
  yield absolute(`${at}/slowest answer of health`, 'ms', measured.slowestHealthMs, { max: HEALTH_MS_MAX });
}

/** The objects that ads need beside those of advertisers, over the API: it lays the tables, too. */
async function declareFirst(data: string): Promise<void> {
  const { url, token, close } = await startBackline(['--no-sample'], data);
  try {
    for (const name of Object.keys(SHAPE)) await create(Attribute, name.toLowerCase(), { name, type: 'string' });
  } finally {
    await close();
  }

  async function create(kind: Kind, name: string, spec: object): Promise<void> {
    const { group, version, plural, apiVersion } = kind;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ apiVersion, kind: kind.kind, metadata: { name }, spec });
    const answer = await fetch(`${url}/apis/${group}/${version}/namespaces/default/${plural}`, {
      method: 'POST',
      headers,
      body,
    });
    if (answer.status !== 201) throw new Error(await answer.text());
  }
}

function* rowsOf(luck: Chance): Iterable<Row> {
  for (let n = 0; n < ADVERTISERS; n += 1) {
    yield rowOf(Advertiser, `a${n}`, {
      title: `Advertiser ${n}`,
      currency: 'EUR',
      zone: 'Europe/Berlin',
      categories: [`IAB${n % 26}-${n % 30}`],
    });
  }
  for (let n = 0; n < ADVERTISERS * EACH.campaigns; n += 1) {
    const account = `a${n % ADVERTISERS}`;
    const budget = { lifetime: '5000.00' };
    yield rowOf(Campaign, `${account}.c${Math.floor(n / ADVERTISERS)}`, { account, title: `Campaign ${n}`, budget });
  }
  for (let n = 0; n < ADVERTISERS * EACH.adSets; n += 1) {
    const account = `a${n % ADVERTISERS}`;
    yield rowOf(AdSet, `${account}.s${Math.floor(n / ADVERTISERS)}`, {
      account,
      campaign: `${account}.c0`,
      title: `Ad set ${n}`,
      tier: 'auction',
      goal: 'cpm',
      position: 'any',
      bid: (1 + luck.next() * 40).toFixed(2),
      budget: { daily: '100.00' },
      frequencyCaps: [{ count: 3, per: 'P1D', scope: 'listener' }],
      ...ruleOf(luck),
    });
  }
  for (let n = 0; n < ADVERTISERS * EACH.assets; n += 1) {
    const account = `a${n % ADVERTISERS}`;
    const url = `https://cdn.example.com/${account}/${n}.mp3`;
    yield rowOf(Asset, `${account}.f${Math.floor(n / ADVERTISERS)}`, {
      account,
      title: `Spot ${n}`,
      format: 'audio',
      seconds: [15, 20, 30, 30][n % 4],
      renditions: [{ url, mime: 'audio/mpeg' }],
    });
  }
  for (let n = 0; n < ADVERTISERS * EACH.ads; n += 1) {
    const account = `a${n % ADVERTISERS}`;
    const at = Math.floor(n / ADVERTISERS);
    // Every other advertiser has two ad sets; the others have two ads in one.
    const adSet = at === 1 && n % ADVERTISERS < ADVERTISERS * (EACH.adSets - 1) ? 's1' : 's0';
    yield rowOf(Ad, `${account}.d${at}`, {
      account,
      adSet: `${account}.${adSet}`,
      asset: `${account}.f${at}`,
      title: `Ad ${n}`,
      weight: 1,
      clickThrough: `https://shop.example.com/${account}?from=${n}`,
    });
  }
}

function ruleOf(luck: Chance): object {
  const allOf = Object.entries(SHAPE)
    .filter(() => luck.yes(0.5))
    .map(([attribute, [values, count]]) => ({
      attribute,
      in: Array.from({ length: count }, () => `v${Math.floor(luck.next() * values)}`),
    }));
  return allOf.length === 0 ? {} : { when: { anyOf: [{ allOf }] } };
}

/** As the program writes an object that was created with `kubectl create`. */
function rowOf(kind: Kind, name: string, spec: object): Row {
  const metadata = {
    name,
    namespace: 'default',
    uid: randomUUID(),
    generation: 1,
    creationTimestamp: '2026-11-30T12:00:00Z',
  };
  const { apiVersion } = kind;
  const object = { apiVersion, kind: kind.kind, metadata, spec } as unknown as ResourceObject;
  return { kind, namespace: 'default', name, type: 'ADDED', object, isCurrent: true };
}
