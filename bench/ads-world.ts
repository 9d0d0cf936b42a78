import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sealingWith } from '#kernel/access/encryption.ts';
import { Client } from '#kernel/access/kinds/client.ts';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { attributeObjectName } from '#kernel/audiences/language/attributes.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { byteaArray } from '#kernel/postgres/arrays.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { ownerNumber } from '#domains/ads/decisions/caps.ts';
import { Ad } from '#domains/ads/kinds/ad.ts';
import { AdPolicy } from '#domains/ads/kinds/ad-policy.ts';
import { AdSet } from '#domains/ads/kinds/ad-set.ts';
import { Advertiser } from '#domains/ads/kinds/advertiser.ts';
import { Asset } from '#domains/ads/kinds/asset.ts';
import { Campaign } from '#domains/ads/kinds/campaign.ts';
import { Placement } from '#domains/ads/kinds/placement.ts';
import { keysOf } from '#domains/ads/records/ad-histories.ts';
import { encodeHistory } from '#domains/ads/records/history-codec.ts';
import { tcString } from '#domains/ads/testing/consent-strings.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { startBackline } from './load.ts';
import { insertObjects, type Row } from './stored-rows.ts';

export const CLIENT_KEY = 'bk_ads-http-benchmark';
export const PLACEMENT = 'bench-break';

const NAMESPACE = 'default';
const DAY_MS = 86_400_000;
const ROWS_AT_ONCE = 10_000;
const VENDOR = 21;
/** Campaigns of an account, and ad sets of a campaign. */
const CAMPAIGNS = 4;
const AD_SETS = 5;
/** Parts of the ad sets, campaigns and accounts that have caps: together of some 45 % of the ad sets. */
const CAPPED = { adSet: 0.3, campaign: 0.15, account: 0.1 } as const;
/** Different histories; each is that of many listeners. */
const HISTORIES = 2_000;
/** Of listeners; the others are a household of one that no cap was counted for. */
const WITH_HOUSEHOLD = 0.25;
/** One of so many listeners has a subscription on record, and one of so many is ad-free. */
const ON_RECORD = 10;
const AD_FREE = 100;
/** Values of each attribute, and how many of them a rule names. */
const SHAPE = {
  benchDevice: [12, 3],
  benchLanguage: [40, 2],
  benchGenre: [200, 5],
  benchAge: [6, 2],
  benchCity: [80, 4],
} as const;

/** Consent strings have the day of the choice, and so are few: those of three months. */
const CONSENTS = Array.from({ length: 90 }, (_, day) =>
  tcString({
    createdMs: Date.UTC(2026, 8, 1) + day * DAY_MS,
    purposeConsents: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    vendorConsents: [VENDOR],
    disclosed: [VENDOR],
  }),
);

export interface AdsWorldSize {
  readonly adSets: number;
  /** Listeners with a history. */
  readonly histories: number;
}

/** Ad sets of 20 for an account, declared and with caps and budgets, and histories of listeners, in a data folder. */
export async function makeAdsWorld(data: string, { adSets, histories }: AdsWorldSize): Promise<void> {
  await declareModels(data);
  const models = await withDatabase(data, readModels);
  await insertObjects(data, objectRows(models, adSets));
  await withDatabase(data, async (database) => {
    const secret = await sharedSecret(database, await sealingWith(join(data, 'encryption-keys')), 'ad-histories');
    await insertHistories(database, { secret, adSets, histories });
    await insertSubscriptions(database, histories);
  });
}

async function withDatabase<Result>(data: string, work: (database: Database) => Promise<Result>): Promise<Result> {
  const postgres = await startEmbeddedPostgres({ dataDirectory: data });
  const database = openDatabase(postgres.url);
  try {
    return await work(database);
  } finally {
    await database.close();
    await postgres.close();
  }
}

/** Takes all caps and the load away. */
export async function dropCaps(data: string): Promise<void> {
  await withDatabase(data, ({ patient }) =>
    patient.query({
      text: `update backline.changes set body = (body::jsonb #- '{spec,frequencyCaps}')::text
        where kind = any ($1::text[]) and body like '%"frequencyCaps"%'`,
      values: [[AdSet.id, Campaign.id, Advertiser.id]],
    }),
  );
  const server = await startBackline(['--no-simulation'], data);
  try {
    await write(server, 'PATCH', AdPolicy, 'bench', { load: null });
  } finally {
    await server.close();
  }
}

/** The body of the question of a listener, by number. */
export function questionOf(luck: Chance, listener: number): string {
  const context = Object.fromEntries(
    Object.entries(SHAPE).map(([name, [values]]) => [name, `v${Math.floor(luck.next() * values)}`]),
  );
  return JSON.stringify({
    placement: PLACEMENT,
    listener: `bench-${listener}`,
    plan: 'free',
    market: 'de',
    territory: 'DE',
    age: 20 + (listener % 50),
    zone: 'Europe/Berlin',
    tcf: CONSENTS[listener % CONSENTS.length],
    context,
  });
}

const POLICY = {
  load: { breaksPerHour: 30 },
  childCategories: ['IAB6'],
  categories: [{ categories: ['IAB8-5'], minAge: 21, deniedIn: ['NO', 'IN', 'SE'] }],
  consent: [{ territories: ['DE'], framework: 'tcf', vendor: VENDOR }, { framework: 'none' }],
  attributes: { limited: ['benchDevice', 'benchLanguage'] },
};

/** Declares what is released, and one object of each direct kind as the model of all others. */
async function declareModels(data: string): Promise<void> {
  const server = await startBackline(['--no-simulation'], data);
  try {
    const hash = createHash('sha256').update(CLIENT_KEY).digest('hex');
    await write(server, 'POST', Client, 'bench', { type: 'server', keys: [{ name: 'one', hash }] });
    for (const name of Object.keys(SHAPE))
      await write(server, 'POST', Attribute, attributeObjectName(name), { name, type: 'string' });
    await write(server, 'POST', AdPolicy, 'bench', POLICY);
    await write(server, 'POST', Placement, PLACEMENT, {
      format: 'audio',
      slots: 3,
      seconds: 90,
      currency: 'EUR',
      floor: { cpm: '1.00' },
      pricing: 'firstPrice',
      policy: 'bench',
      adFreeFeature: 'ad-free',
    });
    for (const { kind, name, spec } of objectsOf(chance(1), 'model', [1_000_000])) {
      await write(server, 'POST', kind, name, spec);
    }
    const ask = () =>
      fetch(`${server.url}/v1/ads/decide`, {
        method: 'POST',
        headers: { authorization: `Bearer ${CLIENT_KEY}` },
        body: questionOf(chance(1), 1),
      });
    for (let tries = 0; (await ask()).status !== 200; tries += 1) {
      if (tries === 300) throw new Error(`the placement is not live: ${await (await ask()).text()}`);
      await sleep(100);
    }
  } finally {
    await server.close();
  }
}

async function write(
  { url, token }: { readonly url: string; readonly token: string },
  method: 'POST' | 'PATCH',
  { apiVersion, kind, plural, namespaced }: Kind,
  name: string,
  spec: unknown,
): Promise<void> {
  const place = namespaced ? `namespaces/${NAMESPACE}/${plural}` : plural;
  const path = `${url}/apis/${apiVersion}/${place}${method === 'PATCH' ? `/${name}` : ''}`;
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const headers = { authorization: `Bearer ${token}`, 'content-type': contentType };
  const body = JSON.stringify({ apiVersion, kind, metadata: { name }, spec });
  const answer = await fetch(path, { method, headers, body });
  if (!answer.ok) throw new Error(`${kind} ${name}: ${await answer.text()}`);
}

interface DeclaredObject {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: object;
}

/** An account with its campaigns, and the ad sets of these numbers. */
function* objectsOf(luck: Chance, account: string, adSets: readonly number[]): Iterable<DeclaredObject> {
  const caps = (chanceOf: number, count: number, per: string, scope: string) =>
    luck.yes(chanceOf) ? { frequencyCaps: [{ count, per, scope }] } : {};
  yield {
    kind: Advertiser,
    name: account,
    spec: {
      currency: 'EUR',
      zone: 'Europe/Berlin',
      categories: [`C${Math.floor(luck.next() * 300)}`],
      ...caps(CAPPED.account, 12, 'P1D', 'household'),
    },
  };
  for (const seconds of [15, 20, 30]) {
    const renditions = [{ url: `https://cdn.example.com/${account}/${seconds}.mp3`, mime: 'audio/mpeg' }];
    yield { kind: Asset, name: `${account}.f${seconds}`, spec: { account, format: 'audio', seconds, renditions } };
  }
  for (let campaign = 0; campaign < CAMPAIGNS; campaign += 1) {
    const spec = { account, ...caps(CAPPED.campaign, 6, 'P7D', 'listener') };
    yield { kind: Campaign, name: `${account}.c${campaign}`, spec };
  }
  for (const n of adSets) {
    const adSet = `${account}.s${n}`;
    const isPaced = luck.yes(0.3);
    yield {
      kind: AdSet,
      name: adSet,
      spec: {
        account,
        campaign: `${account}.c${n % CAMPAIGNS}`,
        tier: luck.yes(0.05) ? 'guaranteed' : 'auction',
        goal: 'cpm',
        bid: (1 + luck.next() * 40).toFixed(2),
        budget: isPaced ? { daily: '500.00' } : { lifetime: '100000.00' },
        pacing: isPaced ? 'even' : 'asap',
        ...caps(CAPPED.adSet, 3, 'P1D', 'listener'),
        ...ruleOf(luck),
      },
    };
    const asset = `${account}.f${[15, 20, 30][n % 3]}`;
    const clickThrough = `https://www.example.com/${account}/${n}`;
    yield { kind: Ad, name: `${account}.a${n}`, spec: { account, adSet, asset, clickThrough, weight: 1 } };
  }
}

function ruleOf(luck: Chance): object {
  const allOf = Object.entries(SHAPE)
    .filter(() => luck.yes(0.5))
    .map(([attribute, [values, count]]) => {
      const named = Array.from({ length: count }, () => `v${Math.floor(luck.next() * values)}`);
      return { attribute, in: [...new Set(named)] };
    });
  return allOf.length === 0 ? {} : { when: { anyOf: [{ allOf }] } };
}

async function readModels({ query }: Database): Promise<ReadonlyMap<string, ResourceObject>> {
  const rows = await query<{ kind: string; body: string }>({
    text: `select kind, body from backline.changes where namespace = $1 and name like 'model%' order by version desc`,
    values: [NAMESPACE],
  });
  return new Map(rows.map(({ kind, body }) => [kind, JSON.parse(body) as ResourceObject]));
}

function* objectRows(models: ReadonlyMap<string, ResourceObject>, adSets: number): Iterable<Row> {
  const luck = chance(adSets);
  const perAccount = CAMPAIGNS * AD_SETS;
  for (let first = 0; first < adSets; first += perAccount) {
    const numbers = Array.from({ length: Math.min(perAccount, adSets - first) }, (_, at) => first + at);
    for (const { kind, name, spec } of objectsOf(luck, `x${first / perAccount}`, numbers)) {
      const model = models.get(kind.id);
      if (model === undefined) throw new Error(`there is no ${kind.id}`);
      const object = { ...model, metadata: { ...model.metadata, name, uid: randomUUID() }, spec };
      yield { kind, namespace: NAMESPACE, name, type: 'ADDED', object, isCurrent: true };
    }
  }
}

/** Some ten exposures of each listener in the last days, of ad sets with caps or without. */
async function insertHistories(
  { patient }: Database,
  { secret, adSets, histories }: AdsWorldSize & { readonly secret: Buffer },
): Promise<void> {
  const luck = chance(histories);
  const nowMs = Date.now();
  const kept = Array.from({ length: HISTORIES }, () => encodeHistory({ groups: groupsOf(luck, adSets, nowMs) }));
  const untilDay = Math.floor(nowMs / DAY_MS) + 8;
  for (let first = 0; first < histories; first += ROWS_AT_ONCE) {
    const rows = Array.from({ length: Math.min(ROWS_AT_ONCE, histories - first) }, (_, at) => {
      const listener = `bench-${first + at}`;
      const household = luck.yes(WITH_HOUSEHOLD) ? householdOf(first + at) : undefined;
      return [...keysOf(secret, { listener, household }).values()];
    }).flat();
    await patient.query({
      text: `insert into backline.ad_histories (key, until_day, history)
        select key, $2, history from unnest($1::bytea[], $3::bytea[]) as h (key, history) on conflict (key) do nothing`,
      values: [
        byteaArray(rows.map((key) => Buffer.from(key, 'hex'))),
        untilDay,
        byteaArray(rows.map(() => kept[Math.floor(luck.next() * HISTORIES)] as Buffer)),
      ],
    });
  }
  await patient.query('vacuum analyze backline.ad_histories');
}

function groupsOf(luck: Chance, adSets: number, nowMs: number) {
  return Array.from({ length: 5 }, () => {
    const n = Math.floor(luck.next() * adSets);
    const owner = ownerNumber(AdSet.id, liveName(AdSet, NAMESPACE, `x${Math.floor(n / (CAMPAIGNS * AD_SETS))}.s${n}`));
    const exposures = Array.from({ length: 2 }, () => ({
      id: Math.floor(luck.next() * 2 ** 48),
      hasPlayed: true,
      ms: Math.floor(nowMs - luck.next() * 6 * DAY_MS),
    }));
    return { owners: [owner], keepMs: 7 * DAY_MS, exposures };
  });
}

function householdOf(listener: number): string {
  return listener % ON_RECORD === 0 ? `home-${listener}` : `bench-${listener}`;
}

async function insertSubscriptions({ patient }: Database, listeners: number): Promise<void> {
  await patient.query({
    text: `
      with listeners as (
        select n, 'bench-' || n as listener, case when n % ${AD_FREE} = 0 then 'premium' else 'free' end as plan
        from generate_series(0, $1 - 1, ${ON_RECORD}) as n
      ), known as (
        insert into backline.subjects (listener) select listener from listeners
      ), subscribed as (
        insert into backline.subscriptions (id, manager, household, plan, market, status, anchor_wall, anchor_zone,
          plan_since, gives_since, started_at, key)
        select 'sub-' || n, listener, 'home-' || n, plan, 'de', 'active', '2026-11-01T00:00:00', 'Europe/Berlin',
          now(), now(), now(), 'sub-' || n
        from listeners
      )
      insert into backline.subscription_members (listener, subscription, role, since)
      select listener, 'sub-' || n, 'manager', now() from listeners`,
    values: [listeners],
  });
  await patient.query('analyze backline.subjects, backline.subscriptions, backline.subscription_members');
}
