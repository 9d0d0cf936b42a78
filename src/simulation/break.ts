import { ask, type App } from './app.ts';
import type { Chance } from './chance.ts';
import type { Listener } from './listener.ts';

const PLACEMENT = 'track-break';

/** Parts of the ads that are answered, or that began. */
const RATES = { played: 0.96, completed: 0.92, clicked: 0.004 } as const;
/** Part of the listeners who consent, where they are asked. */
const CONSENT_RATE = 0.7;

/** Consent strings of TCF 2.3 and GPP, as a consent management platform makes them. */
const CONSENT = {
  tcf: {
    given: 'CQlH_MAQlH_MAAfABBENBkFgAP_gAAAAAAAAAKgAACAAAAAA.IAKgAACA.YAAAAAAAAAAA',
    refused: 'CQlH_MAQlH_MAAfABBENBkFgAAAAAAAAAAAAAAAAAAAA.IAKgAACA.YAAAAAAAAAAA',
  },
  gpp: { given: 'DBABLA~CFQqAAAAAACA.QA', refused: 'DBABLA~CFQVAAAAAACA.QA' },
} as const;
/** Markets whose listeners are asked for consent, and how. */
const FRAMEWORKS: Readonly<Record<string, keyof typeof CONSENT>> = {
  de: 'tcf',
  se: 'tcf',
  no: 'tcf',
  fi: 'tcf',
  dk: 'tcf',
  us: 'gpp',
};

/** Events of an ad, in their order. */
const UNTIL_END = ['firstQuartile', 'midpoint', 'thirdQuartile', 'complete'] as const;

/** A break as an app played it. */
export interface HeardBreak {
  /** Ads that were answered. */
  readonly ads: number;
  readonly impressions: number;
}

/** A break between two tracks: asks for ads, plays them and reports their events. Without the placement there is none. */
export async function hearBreak(app: App, listener: Listener, luck: Chance): Promise<HeardBreak> {
  const { status, answer } = await ask(app, 'POST', '/v1/ads/decide', questionOf(listener, luck));
  if (status !== 200) return { ads: 0, impressions: 0 };
  const { ads = [] } = answer as { ads?: readonly { readonly token?: string }[] };
  const heard = ads.flatMap(({ token }) => (token === undefined || !luck.yes(RATES.played) ? [] : [token]));
  const events = heard.flatMap((token) => eventsOf(luck).map((event) => ({ event, token })));
  if (events.length > 0) await ask(app, 'POST', '/v1/ads/events', { events });
  return { ads: ads.length, impressions: heard.length };
}

function questionOf({ id, plan, market, household, ...attributes }: Listener, luck: Chance): object {
  const { platform, appVersion, language, ageBand, genres } = attributes;
  const framework = FRAMEWORKS[market];
  const signal = luck.yes(CONSENT_RATE) ? 'given' : 'refused';
  return {
    placement: PLACEMENT,
    listener: id,
    household,
    plan,
    market,
    territory: market.toUpperCase(),
    age: Number.parseInt(ageBand, 10),
    zone: attributes.timeZone,
    ...(framework === undefined ? {} : { [framework]: CONSENT[framework][signal] }),
    context: { plan, market, platform, appVersion, language, ageBand, genres },
  };
}

function eventsOf(luck: Chance): readonly string[] {
  const end = luck.yes(RATES.completed) ? UNTIL_END : [UNTIL_END[0], 'skip'];
  return ['impression', 'start', ...end, ...(luck.yes(RATES.clicked) ? ['click'] : [])];
}
