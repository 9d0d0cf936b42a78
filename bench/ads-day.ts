import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { systemTime } from '#kernel/base/time.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { Ad } from '#domains/ads/kinds/ad.ts';
import { AdSet } from '#domains/ads/kinds/ad-set.ts';
import { Advertiser } from '#domains/ads/kinds/advertiser.ts';
import { Asset } from '#domains/ads/kinds/asset.ts';
import { Campaign } from '#domains/ads/kinds/campaign.ts';
import { Placement } from '#domains/ads/kinds/placement.ts';
import { issueTokens } from '#domains/ads/issue-tokens.ts';
import { openAdRecords, type AdRecords } from '#domains/ads/open-ad-records.ts';
import { serveBreak } from '#domains/ads/serve-break.ts';
import { askBreak, live, tableOf } from '#domains/ads/testing/world.ts';
import { chance } from '#simulation/chance.ts';
import { absolute, type Figure } from './figure.ts';

/** ADS_DAY_SCALE makes it smaller: 0.1 is enough to see that it runs. */
const SCALE = Number(process.env['ADS_DAY_SCALE'] ?? 1);
const REQUESTS = 200_000 * SCALE;
const AD_SETS = 40;
/** A part of all requests that budgets pay for: inventory suffices. */
const SOLD = 0.5;
const NODES = 3;
const KILLS = 4;
const TICK_MS = 10_000;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 30);
const QUARTER_MS = 900_000;
/** Of the ads that are answered. */
const PLAYED = 0.9;
const DELAY_MS = { mean: 180_000, most: 600_000 };
const NOISE = 0.15;
/** A CPM of 1,000.00: one impression is 1.00, so that budgets are numbers of impressions. */
const ONE = 1_000_000;

/** A process with budgets, of which nothing reaches the database after a kill. */
interface DayNode {
  records: AdRecords;
  database: Database;
}

/**
 * A day of breaks on three nodes with the clock of the day: 40 ad sets with even daily budgets, impressions that come up to ten minutes
 * after the answer or never, nodes that are killed. The curve of the day is known from the week before; the day differs from it.
 */
export async function* run(): AsyncIterable<Figure> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  await chmod(directory, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDirectory: directory });
  const database = openDatabase(postgres.url);
  try {
    await migrate(database, allMigrations());
    yield* await playDay(postgres.url, database);
  } finally {
    await database.close();
    await postgres.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function playDay(url: string, database: Database): Promise<readonly Figure[]> {
  const luck = chance(7);
  let nowMs = START_MS;
  const budget = Math.floor((REQUESTS * SOLD) / AD_SETS);
  const table = tableOf([...objectsOf(budget)]);
  await tellLastWeek(database);
  const open = (): Promise<DayNode> => openNode(url, () => nowMs);
  const nodes = await Promise.all(Array.from({ length: NODES }, open));
  const reports: { readonly atMs: number; readonly token: string }[] = [];
  const spent = new Float64Array(DAY_MS / QUARTER_MS);
  const traffic = new Float64Array(DAY_MS / QUARTER_MS);
  let largestSlice = 0;
  let owed = 0;
  for (let tick = 0; tick < DAY_MS / TICK_MS; tick += 1) {
    nowMs = START_MS + tick * TICK_MS;
    const quarter = Math.floor((nowMs - START_MS) / QUARTER_MS);
    owed += shareOf(nowMs) * REQUESTS * (TICK_MS / DAY_MS) * (1 + NOISE * (2 * luck.next() - 1));
    const count = Math.floor(owed);
    owed -= count;
    traffic[quarter] = (traffic[quarter] as number) + count;
    await Promise.all(
      Array.from({ length: count }, () => ask(nodes[Math.floor(luck.next() * NODES)] as DayNode, quarter)),
    );
    const due = reports.filter(({ atMs }) => atMs <= nowMs);
    for (const report of due) reports.splice(reports.indexOf(report), 1);
    await Promise.all(due.map(({ token }, index) => countImpression(nodes[index % NODES] as DayNode, token)));
    if (tick % 30 === 0) for (const { records } of nodes) await settle(records);
    if ((tick + 1) % Math.floor(DAY_MS / TICK_MS / (KILLS + 1)) === 0) await kill(tick % NODES);
  }
  const answered = spent.slice();
  // The last impressions come after midnight, and then the last slices end.
  for (let minute = 0; minute < 40; minute += 1) {
    nowMs += 60_000;
    for (const { token } of reports.splice(0)) await countImpression(nodes[0] as DayNode, token);
    for (const { records } of nodes) await settle(records);
  }
  const used = await readUse(database);
  for (const node of nodes) await close(node);
  const shares = used.map((micros) => micros / (budget * ONE));
  const delivered = shares.reduce((sum, share) => sum + share, 0) / AD_SETS;
  const charged = await readCharged(database);
  return [
    absolute('ads-day/spend of the worst budget', '%', 100 * Math.max(...shares), { max: 100 }),
    absolute('ads-day/delivered', '%', 100 * delivered, {
      min: 99.5 - (100 * KILLS * largestSlice) / (budget * AD_SETS * ONE),
    }),
    absolute('ads-day/largest slice, of its budget', '%', (100 * largestSlice) / (budget * ONE), { max: 12.5 }),
    absolute('ads-day/error of the curve', '%', 100 * curveError(answered, traffic), { max: 5 }),
    absolute('ads-day/ledger less events', 'micro-units', used.reduce((sum, micros) => sum + micros, 0) - charged, {
      max: 0,
    }),
  ];

  async function ask({ records }: DayNode, quarter: number): Promise<void> {
    const decision = randomBytes(16).toString('hex');
    records.money.countBreak('break', undefined);
    const question = askBreak(table, { nowMs, random: luck.next });
    const issuedFor = { decision, placement: 'break', adFreeFeature: 'ad-free', subject: {}, mayProfile: false };
    const servingParts = { ...records, time: systemTime };
    const { tokens } = await serveBreak(table, question, servingParts, {
      decision,
      subject: {},
      issueTokens: (served) => issueTokens(records, served, issuedFor),
    });
    for (const token of tokens) {
      spent[quarter] = (spent[quarter] as number) + PLAYED;
      if (luck.next() >= PLAYED) continue;
      const atMs = nowMs + Math.min(DELAY_MS.most, -Math.log(1 - luck.next()) * DELAY_MS.mean);
      reports.push({ atMs, token });
    }
  }

  async function settle(records: AdRecords): Promise<void> {
    await records.money.settle();
    await records.deliveries.settle();
  }

  async function kill(at: number): Promise<void> {
    const rows = await database.query<{ most: number | null }>(
      "select max(amount)::float8 as most from backline.quota_holds where kind = 'slice' and state = 'held'",
    );
    largestSlice = Math.max(largestSlice, rows[0]?.most ?? 0);
    await (nodes[at] as DayNode).database.close();
    nodes[at] = await open();
  }
}

async function openNode(url: string, nowMs: () => number): Promise<DayNode> {
  const database = openDatabase(url);
  const [log, registry] = [openLog('silent'), new Registry()];
  const clock = (): Temporal.Instant => Temporal.Instant.fromEpochMilliseconds(nowMs());
  const quotas = openQuotas({ databases: [database], clock, signer: hmacSigner(Buffer.alloc(32, 7)), log, registry });
  const records = await openAdRecords({
    database,
    quotas,
    clock,
    secretOf: async () => Buffer.alloc(32, 7),
    registry,
    log,
  });
  return { records, database };
}

function countImpression({ records: { deliveries, tokens } }: DayNode, token: string): Promise<unknown> {
  return deliveries.count({ token: tokens.open(token), event: 'impression' });
}

async function close({ records, database }: DayNode): Promise<void> {
  await records.close?.();
  await database.close();
}

function* objectsOf(budget: number): Iterable<LiveObject> {
  yield live(Placement, 'break', {
    format: 'audio',
    slots: 1,
    seconds: 30,
    currency: 'EUR',
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
  });
  for (let n = 0; n < AD_SETS; n += 1) {
    const account = `a${n}`;
    yield live(Advertiser, account, { currency: 'EUR', zone: 'UTC' });
    yield live(Campaign, `${account}.c`, { account });
    yield live(AdSet, `${account}.s`, {
      account,
      campaign: `${account}.c`,
      tier: 'auction',
      position: 'any',
      goal: 'cpm',
      bid: '1000.00',
      budget: { daily: `${budget}.00` },
    });
    yield live(Asset, `${account}.f`, {
      account,
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    });
    yield live(Ad, `${account}.a`, { account, adSet: `${account}.s`, asset: `${account}.f`, weight: 1 });
  }
}

/** The requests of a moment, as a part of the mean of the day: few in the night, most in the evening. */
function shareOf(ms: number): number {
  return 1 - 0.7 * Math.cos((2 * Math.PI * (ms - START_MS - 5 * 3_600_000)) / DAY_MS);
}

/** The same day, a week ago, and each day since. */
async function tellLastWeek(database: Database): Promise<void> {
  await database.query({
    text: `
      insert into backline.ad_traffic (placement, market, quarter, breaks)
      select 'default/break', '', to_timestamp($1::float8 / 1000) + n * interval '15 minutes', shares.share
      from unnest($2::bigint[]) with ordinality as shares (share, n)`,
    values: [
      START_MS - 8 * DAY_MS - QUARTER_MS,
      Array.from({ length: (8 * DAY_MS) / QUARTER_MS }, (_, n) =>
        Math.round(1_000 * shareOf(START_MS + n * QUARTER_MS)),
      ),
    ],
  });
}

/** The mean distance of the spent share from the share of requests that had come, over the day. */
function curveError(spent: Float64Array, traffic: Float64Array): number {
  const all = spent.reduce((sum, one) => sum + one, 0);
  const requests = traffic.reduce((sum, one) => sum + one, 0);
  let [spentBefore, trafficBefore, error] = [0, 0, 0];
  for (const [quarter, one] of spent.entries()) {
    spentBefore += one / all;
    trafficBefore += (traffic[quarter] as number) / requests;
    error += Math.abs(spentBefore - trafficBefore);
  }
  return error / spent.length;
}

async function readUse({ query }: Database): Promise<readonly number[]> {
  const rows = await query<{ used: number }>({
    text: `select used::float8 from backline.quota_counters where bucket like 'adset %' and window_key = 'lifetime'`,
  });
  return rows.map(({ used }) => used);
}

async function readCharged({ query }: Database): Promise<number> {
  const [row] = await query<{ micros: number }>({
    text: `select coalesce(sum(micros), 0)::float8 as micros from backline.ad_deliveries where state = 'charged'`,
  });
  return row?.micros ?? 0;
}
