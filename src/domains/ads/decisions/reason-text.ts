import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { ServingReason } from './serving-reasons.ts';
import type { CompiledAdSet } from './table.ts';

/** Names of placements in one message. */
const PLACES_MAX = 5;

/** A reason as people read it. */
export interface ReasonText {
  readonly message: string;
  readonly remedy: string;
}

interface Words {
  readonly campaign: string;
  readonly account: string;
  readonly audience: string;
  readonly currency: string;
  readonly from: string;
  readonly until: string;
  /** The placements of the reason. */
  readonly places: string;
}

type Sentences = (words: Words) => readonly [message: string, remedy: string];

/** A reason that is the same for every listener. */
export type DeclaredReason = keyof typeof SENTENCES;

export function isDeclaredReason(reason: string): reason is DeclaredReason {
  return Object.hasOwn(SENTENCES, reason);
}

/** Of a reason for which an ad set is not served; `audience` is the name that it has in its spec. */
export function reasonText({ reason, places }: ServingReason, adSet: CompiledAdSet, audience = ''): ReasonText {
  const more = places.length - PLACES_MAX;
  if (!isDeclaredReason(reason)) throw new Error(`the reason ${reason} depends on the listener`);
  const sentences: Sentences = SENTENCES[reason];
  const [message, remedy] = sentences({
    campaign: ownName(adSet.campaign),
    account: ownName(adSet.advertiser),
    audience,
    currency: adSet.currency,
    from: timeText(adSet.fromMs),
    until: timeText(adSet.untilMs),
    places: places.slice(0, PLACES_MAX).join(', ') + (more > 0 ? ` and ${more} more` : ''),
  });
  return { message, remedy };
}

/** The name of an advertiser's object in its namespace. */
export function ownName(live: string): string {
  return readLiveName({ names: 'namespace' }, live).name;
}

function timeText(ms: number): string {
  return Number.isFinite(ms) ? Temporal.Instant.fromEpochMilliseconds(ms).toString() : '';
}

const ELSEWHERE = 'name other placements in spec.placements of the AdSet';

const SENTENCES = {
  'ad set paused': () => ['The AdSet is paused.', 'Set spec.paused of the AdSet to false.'],
  'campaign paused': ({ campaign }) => [
    `Campaign ${campaign} is paused.`,
    `Set spec.paused of Campaign ${campaign} to false.`,
  ],
  'advertiser suspended': ({ account }) => [
    `Advertiser ${account} is suspended.`,
    `Resolve what spec.suspended of Advertiser ${account} says; then remove it there.`,
  ],
  'campaign missing': ({ campaign }) => [
    `There is no Campaign ${campaign}.`,
    'Declare it, or name another one in spec.campaign of the AdSet.',
  ],
  'advertiser missing': ({ account }) => [`There is no Advertiser ${account}.`, 'Declare it.'],
  'audience missing': ({ audience }) => [
    `No Audience ${audience} is live.`,
    'Declare it and wait until it is live, or name another one in spec.audience of the AdSet.',
  ],
  'no ad': () => ['The AdSet has no Ad.', 'Declare an Ad that names it in spec.adSet.'],
  'ad paused': () => ['No Ad is left: paused.', 'Set spec.paused of the Ad to false.'],
  'asset missing': () => ['No Ad is left: without the Asset.', 'Declare the Asset that the Ad names in spec.asset.'],
  'not begun': ({ from }) => [`It begins at ${from}.`, 'Wait, or set an earlier spec.from of the AdSet.'],
  over: ({ until }) => [`It ended at ${until}.`, 'Set a later spec.until of the AdSet.'],
  'no placement': () => [
    'No Placement of its namespace is live.',
    'Declare one, or name those of another namespace in spec.placements of the AdSet.',
  ],
  'placement missing': ({ places }) => [`Not live: Placement ${places}.`, `Declare it, or ${ELSEWHERE}.`],
  'policy missing': ({ places }) => [
    `Its AdPolicy is not live: Placement ${places}.`,
    `Declare the AdPolicy that the Placement names, or ${ELSEWHERE}.`,
  ],
  'no exchange rate': ({ currency, places }) => [
    `No rate from ${currency} into the currency of ${places}.`,
    `Declare an ExchangeRate from ${currency} into it, or ${ELSEWHERE}.`,
  ],
  'blocked category': ({ account, places }) => [
    `A category of Advertiser ${account} is blocked at ${places}.`,
    `Correct spec.categories of the Advertiser, or ${ELSEWHERE}.`,
  ],
  'no ad of the format': ({ places }) => [
    `No Ad has the format of ${places}.`,
    `Declare an Ad whose Asset has that format, or ${ELSEWHERE}.`,
  ],
  explicit: ({ places }) => [
    `Explicit ads are never served at ${places}.`,
    `Declare an Ad that is not explicit, or ${ELSEWHERE}.`,
  ],
  'too long': ({ places }) => [
    `Longer than a break of ${places}.`,
    `Declare an Ad with a shorter Asset, or ${ELSEWHERE}.`,
  ],
  'below the floor': ({ places }) => [
    `The bid is below the floor of ${places}.`,
    `Raise spec.bid of the AdSet, or ${ELSEWHERE}.`,
  ],
} as const satisfies Partial<Record<ServingReason['reason'], Sentences>>;
