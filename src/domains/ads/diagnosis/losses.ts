import type { MoneyObstacle } from '../decisions/decide.ts';
import type { BreakReason } from '../decisions/explain.ts';
import { isDeclaredReason, reasonText, type DeclaredReason } from '../decisions/reason-text.ts';
import type { ServingReason } from '../decisions/serving-reasons.ts';
import type { CompiledAdSet } from '../decisions/table.ts';

/** Why an ad set did not get a request: a reason of its own, or the load of the policy. */
export type LossReason = BreakReason | 'ad load';

/** The requests that a share is of: all at its placements, or those that fit its ads and its audience. */
type ShareOf = 'requests' | 'eligible requests';

interface LossText {
  readonly message: string;
  readonly remedy: string;
}

/** Requests of a replay by what became of them. */
export interface ReplayCounts {
  readonly requests: number;
  /** In which the ad set would be served, as far as its money goes. */
  readonly served: number;
  readonly lost: ReadonlyMap<LossReason, { readonly requests: number; readonly places: ReadonlySet<string> }>;
}

export interface Loss {
  readonly reason: LossReason | ServingReason['reason'];
  /** From 0 to 1. */
  readonly share: number;
  readonly of: ShareOf;
  readonly sentence: string;
  readonly remedy: string;
}

/** Reasons that are left once a listener, a placement and an ad fit each other. */
const OF_ELIGIBLE: ReadonlySet<LossReason> = new Set<LossReason>([
  'budget spent',
  'ahead of its pace',
  'budget unknown',
  'other currency',
  'frequency cap',
  'frequency unknown',
  'separated',
  'same advertiser, same room',
  'no room',
]);

/** The requests that fit the ads and the audience of an ad set: what else there is, is decided by competition and caps. */
export function eligibleOf({ served, lost }: ReplayCounts): number {
  return Array.from(lost).reduce(
    (sum, [reason, { requests }]) => (OF_ELIGIBLE.has(reason) ? sum + requests : sum),
    served,
  );
}

/** Reasons with their shares in words: most requests first. */
export function lossesOf(adSet: CompiledAdSet, counts: ReplayCounts): readonly Loss[] {
  const totals = { requests: counts.requests, 'eligible requests': eligibleOf(counts) };
  return Array.from(counts.lost)
    .toSorted(([a, some], [b, others]) => others.requests - some.requests || (a < b ? -1 : 1))
    .map(([reason, { requests, places }]) => {
      const of = OF_ELIGIBLE.has(reason) ? 'eligible requests' : 'requests';
      const share = shareOf(requests, totals[of]);
      const { message, remedy } = isDeclaredReason(reason)
        ? reasonText({ reason, places: [...places].toSorted() }, adSet)
        : TEXTS[reason];
      return { reason, share, of, sentence: `${percent(share)} of ${of} are lost. ${message}`, remedy };
    });
}

/** Reasons for which it is served to nobody. */
export function standingLosses(adSet: CompiledAdSet, reasons: readonly ServingReason[]): readonly Loss[] {
  return reasons.map((one) => {
    const { message, remedy } = reasonText(one, adSet, audienceOf(adSet));
    return { reason: one.reason, share: 1, of: 'requests', sentence: `All requests are lost. ${message}`, remedy };
  });
}

/** A loss of all eligible requests, by the money of the ad set. @param message the amounts */
export function moneyLoss(reason: MoneyObstacle, message?: string): Loss {
  const text = TEXTS[reason];
  const sentence = `All eligible requests are lost. ${message ?? text.message}`;
  return { reason, share: 1, of: 'eligible requests', sentence, remedy: text.remedy };
}

/** The name of the audience in its spec: the first condition of each group. */
function audienceOf({ rule }: CompiledAdSet): string | undefined {
  const named = rule?.anyOf[0]?.allOf.find((condition) => 'audience' in condition);
  return named?.audience;
}

/** A share with four digits; 0 of nothing. */
export function shareOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(1, Math.round((part / whole) * 1e4) / 1e4);
}

export function percent(share: number): string {
  const whole = Math.round(share * 100);
  if (whole === 0 && share > 0) return 'Below 1 %';
  return whole === 100 && share < 1 ? 'Over 99 %' : `${whole} %`;
}

const TEXTS: Readonly<Record<Exclude<LossReason, DeclaredReason>, LossText>> = {
  'budget spent': {
    message: 'A budget is used up.',
    remedy: 'Raise the budget, or wait for the next day of the account.',
  },
  'ahead of its pace': {
    message: 'It is ahead of its pace, which keeps the rest of its budget for later.',
    remedy:
      'Nothing, if it is to be spread over the time; to spend sooner set spec.pacing of the AdSet to asap, or raise the budget.',
  },
  'budget unknown': {
    message: 'Its budget cannot be read.',
    remedy: 'Ask a node that has a database.',
  },
  'other currency': {
    message: 'The ledger of its account counts in the currency that the account had before.',
    remedy: 'Declare the Advertiser again in that currency, or the campaign under another Advertiser.',
  },
  'frequency cap': {
    message: 'The listener had as many of its ads as a frequency cap allows.',
    remedy:
      'Raise count, or shorten per, of the frequencyCaps of the AdSet, its Campaign or its Advertiser; or reach more listeners with a wider audience.',
  },
  'frequency unknown': {
    message: 'It has frequency caps, and the request names nobody to count.',
    remedy: 'Let the app ask with listener, or with session where there is no consent.',
  },
  'no room': {
    message: 'Other ad sets are of an earlier tier, or pay more together.',
    remedy: 'Raise spec.bid of the AdSet, take a shorter Asset, or an earlier tier.',
  },
  'same advertiser, same room': {
    message: 'Another ad set of its advertiser bids more for the same room, or 64 others pay more.',
    remedy: 'Raise spec.bid, or give the ad sets of the advertiser different audiences or placements.',
  },
  separated: {
    message: 'Its advertiser, or one of its categories, is in the break already.',
    remedy: 'Raise spec.bid above that of the other, or give the Advertiser narrower categories.',
  },
  'adjacent break': {
    message: 'Its advertiser, or one of its categories, was in the break before or after.',
    remedy: 'Give the Advertiser narrower categories.',
  },
  audience: {
    message: 'The listener is not in its audience or when, or too little is known of them.',
    remedy: 'Widen the audience, or let the app send the attributes that it reads.',
  },
  'outside its day parts': {
    message: 'It was outside its day parts.',
    remedy: 'Add parts to spec.dayParts of the AdSet.',
  },
  'other placements': {
    message: 'It is for other placements.',
    remedy: 'Add the placement to spec.placements of the AdSet.',
  },
  'third party': {
    message: 'Its ads are of another ad server, and the listener permits no measurement by third parties.',
    remedy: 'Declare an Ad whose Asset has files.',
  },
  'token too long': {
    message: 'The ids of the request and the page of the ad are too long together for a link.',
    remedy: 'Let the app ask with shorter ids, or shorten spec.clickThrough of the Ad.',
  },
  'minimum age': {
    message: 'The listener is too young for its categories, or of unknown age.',
    remedy: 'Let the app send the age; the AdPolicy has the rule.',
  },
  territory: {
    message: 'Its categories are not allowed in the territory, or the territory is unknown.',
    remedy: 'Let the app send the territory; the AdPolicy has the rule.',
  },
  'not for children': {
    message: 'The listener is a child, or may be one, and its categories are not for children.',
    remedy: 'Let the app send the age; childCategories of the AdPolicy lists what children may get.',
  },
  'ad load': {
    message: 'The listener had as many breaks as the load of the AdPolicy allows, or nobody was named to count.',
    remedy:
      'Allow more in spec.load of the AdPolicy; or let the app name the listener, and the session of those who permit no history.',
  },
};
