import { snapshotLine, type Snapshot } from '../decisions/decision-text.ts';
import type { Colours } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';

interface AdAnswer {
  readonly ad: string;
  readonly adSet: string;
  readonly campaign: string;
  readonly advertiser: string;
  readonly tier?: string;
  readonly goal?: string;
  readonly price?: string;
  readonly currency?: string;
  readonly seconds: number;
}

/** The answer of /v1/ads/decide. */
export interface BreakAnswer extends Snapshot {
  readonly placement: string;
  readonly ads: readonly AdAnswer[];
  readonly seconds: number;
  /** See `NO_ADS`; a newer server may have others. */
  readonly noAds?: string;
  readonly gap?: number;
}

/** The answer of /v1/ads/explain. */
export interface BreakExplanation extends BreakAnswer {
  readonly consent: {
    readonly personal: boolean;
    readonly limited: boolean;
    readonly history: string;
    readonly reason?: string;
    readonly ageGroup?: string;
  };
  readonly adSets: number;
  readonly reasons: readonly { readonly reason: string; readonly adSets: number; readonly example: string }[];
  readonly candidates: readonly {
    readonly adSet: string;
    readonly tier: string;
    readonly goal: string;
    readonly bid: string;
    readonly ecpm: string;
    readonly served: boolean;
  }[];
}

const NO_ADS: Readonly<Record<string, string>> = {
  snapshotOld: 'the node has not heard of the API for a minute, so it cannot know what is paused.',
  adFree: 'the listener has the ad-free feature.',
  entitlementUnknown:
    'whether the listener has the ad-free feature is unknown: no plan is known, market and territory do not belong together, the Feature is not live, or PostgreSQL did not answer.',
  policyMissing: 'the AdPolicy of the placement is not live.',
  rewarded: 'the listener played an ad to the end that gives time without ads.',
  grace: 'the load of the AdPolicy: the first minutes of a session are without ads.',
  adLoad: 'the load of the AdPolicy: the listener had enough breaks, or the last one was too recent.',
  adLoadUnknown:
    'the load of the AdPolicy is unknown: ask with --listener or, where the listener permits no history (see `backline ads explain`), with --session; or PostgreSQL did not answer.',
  noCandidate: 'no ad set fits. `backline ads explain` counts why.',
};

/** Candidates that lost and are shown; the JSON has all. */
const LOSERS_MAX = 10;

export function breakText(answer: BreakAnswer, colours: Colours): string {
  return [...breakLines(answer, colours), ...snapshotLine(answer, colours)].join('\n');
}

function breakLines({ placement, ads, seconds, noAds, gap }: BreakAnswer, { bold, yellow }: Colours): string[] {
  if (noAds !== undefined) return [`${bold(placement)}: ${yellow('no ads')}: ${NO_ADS[noAds] ?? noAds}`];
  const rows = ads.map(({ ad, adSet, tier, goal, price, currency, seconds: length }) => [
    ad,
    adSet,
    tier ?? '-',
    price === undefined ? '-' : `${price} ${currency ?? ''} ${goal === undefined ? '' : `(${goal})`}`.trimEnd(),
    length === 0 ? 'image' : `${length} s`,
  ]);
  return [
    `${bold(placement)}: ${countText(ads.length, 'ad')}, ${seconds} s`,
    textTable([['AD', 'AD SET', 'TIER', 'PRICE OF AN EVENT', 'LENGTH'], ...rows]),
    ...(gap === undefined ? [] : [`The break may lack ${(gap * 100).toFixed(1)} % of the best possible sum.`]),
  ];
}

export function explanationText(explanation: BreakExplanation, colours: Colours): string {
  const { bold } = colours;
  const { consent, adSets, reasons, candidates } = explanation;
  const losers = candidates.filter(({ served }) => !served);
  const lines = [...breakLines(explanation, colours), '', `${bold('Consent')}: ${consentText(consent)}`];
  if (losers.length > 0) {
    const shown = losers.slice(0, LOSERS_MAX);
    const rows = shown.map(({ adSet, tier, goal, bid, ecpm }) => [`  ${adSet}`, tier, `${bid} (${goal})`, ecpm]);
    const more = losers.length - shown.length;
    lines.push('', bold('Candidates that are not in the break'));
    lines.push(textTable([['  AD SET', 'TIER', 'BID', 'ECPM'], ...rows]));
    if (more > 0) lines.push(`  and ${more} more: -o json has all.`);
  }
  if (reasons.length > 0) {
    const rows = reasons.map(({ reason, adSets: count, example }) => [`  ${reason}`, String(count), example]);
    lines.push('', bold(`Why the others of ${countText(adSets, 'ad set')} are not served`));
    lines.push(textTable([['  REASON', 'AD SETS', 'LIKE'], ...rows]));
  }
  return [...lines, ...snapshotLine(explanation, colours)].join('\n');
}

function consentText({ personal, limited, history, reason, ageGroup }: BreakExplanation['consent']): string {
  const used = personal
    ? 'every attribute may choose ads'
    : limited
      ? 'attributes of the device and the rough place may choose ads'
      : 'no attribute may choose ads, except those that the policy lists';
  const parts = [
    used,
    `frequency caps count the ${history}`,
    ageGroup === undefined ? 'age unknown' : `age group ${ageGroup}`,
  ];
  return `${parts.join('; ')}.${reason === undefined ? '' : ` ${reason}`}`;
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
