import assert from 'node:assert/strict';
import type { World } from './backline.ts';
import { feature, market, plan } from './catalogue.ts';
import { changeSet, CHANGE_SETS } from './flags.ts';
import { until } from './installation.ts';

const ADS_PATH = '/apis/ads.backline.dev/v1/namespaces/default';

const adObject = (kind: string, name: string, spec: object) => ({
  apiVersion: 'ads.backline.dev/v1',
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});

interface AdvertiserOptions {
  readonly bid?: string;
  readonly goal?: 'cpm' | 'cpc' | 'cpcv';
  /** More of the Ad. */
  readonly ad?: object;
  readonly asset?: object;
  /** Pictures beside the ad. */
  readonly companion?: object;
}

/** An advertiser with one of everything, in the order in which it is declared. */
export function advertiserWithAd(
  name: string,
  { bid = '9.00', goal = 'cpm', ad = {}, asset = {}, companion }: AdvertiserOptions = {},
): readonly (readonly [path: string, body: object])[] {
  const account = { account: name };
  return [
    ['advertisers', adObject('Advertiser', name, { title: `${name} Ltd`, currency: 'EUR' })],
    ['campaigns', adObject('Campaign', `${name}.c`, account)],
    ['adsets', adObject('AdSet', `${name}.s`, { ...account, campaign: `${name}.c`, goal, bid })],
    [
      'assets',
      adObject('Asset', `${name}.f`, {
        ...account,
        format: 'audio',
        seconds: 30,
        renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg', kbps: 128 }],
        ...asset,
      }),
    ],
    ...(companion === undefined
      ? []
      : [['assets', adObject('Asset', `${name}.p`, { ...account, format: 'image', ...companion })] as const]),
    [
      'ads',
      adObject('Ad', `${name}.a`, {
        ...account,
        adSet: `${name}.s`,
        asset: `${name}.f`,
        ...(companion === undefined ? {} : { companion: `${name}.p` }),
        ...ad,
      }),
    ],
  ];
}

/** Declares plans with and without ads, the placement `between-songs`, and advertisers; waits until an ad is answered. */
export async function declareAds(
  { call }: Pick<World, 'call'>,
  advertisers: readonly ReturnType<typeof advertiserWithAd>[],
  placement: { readonly slots?: number } = {},
): Promise<void> {
  const post = async (path: string, body: object): Promise<void> => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
  };
  await post(
    CHANGE_SETS,
    changeSet(
      market('de', { title: 'Germany' }),
      feature('ad-free', { title: 'Without ads' }),
      plan('free', { rank: 0 }),
      plan('premium', { rank: 10, entitlements: [{ feature: 'ad-free' }] }),
      adObject('AdPolicy', 'standard', { consent: [{ framework: 'none' }] }),
      adObject('Placement', 'between-songs', {
        format: 'audio',
        slots: 3,
        seconds: 90,
        currency: 'EUR',
        policy: 'standard',
        adFreeFeature: 'ad-free',
        ...placement,
      }),
    ),
  );
  for (const [path, body] of advertisers.flat()) await post(`${ADS_PATH}/${path}`, body);
  await until(
    async () => {
      const body = { placement: 'between-songs', plan: 'free', market: 'de' };
      const { json } = await call('POST', '/v1/ads/decide', { body });
      return json.ads?.length === Math.min(advertisers.length, placement.slots ?? 3) ? true : undefined;
    },
    () => 'ads to be answered',
    10,
  );
}
