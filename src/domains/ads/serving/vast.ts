import type { CompiledAd } from '../decisions/table.ts';
import type { AdEvent } from '../rules/ad-events.ts';
import { cdata, element, escape, uri } from './xml.ts';

const SYSTEM = 'Backline';
const XMLNS = 'http://www.iab.com/VAST';
/** The registry of our creative ids: names of Assets. */
const ID_REGISTRY = 'backline';
const CATEGORIES = 'https://iabtechlab.com/standards/content-taxonomy/';

/** Events of a linear ad that VAST has under the same names. */
const LINEAR_EVENTS = [
  'start',
  'firstQuartile',
  'midpoint',
  'thirdQuartile',
  'complete',
  'mute',
  'unmute',
  'pause',
  'resume',
  'skip',
] as const satisfies readonly AdEvent[];

/** An ad as it stands in a VAST document. */
export interface VastAd {
  readonly ad: CompiledAd;
  readonly advertiser: string;
  readonly categories: readonly string[];
  /** Names the ad of this answer: the decision and its place. */
  readonly servingId: string;
  readonly token: string;
}

export interface VastParts {
  /** Scheme and authority that events are reported to. */
  readonly baseUrl: string;
  /** Whether third parties may be called. */
  readonly mayMeasure: boolean;
}

/**
 * A VAST 4.2 document (IAB Tech Lab, 2019). Several ads are a pod, in the order of `sequence`; without an ad it is empty. The order
 * of elements is that of the schema. Prices do not stand in it.
 */
export function vastDocument(ads: readonly VastAd[], parts: VastParts): string {
  const inside = ads.map((one, place) =>
    element(
      'Ad',
      {
        id: one.ad.name,
        sequence: ads.length > 1 ? place + 1 : undefined,
        adType: one.ad.asset.format === 'audio' ? 'audio' : 'video',
      },
      one.ad.asset.vastTagUri === undefined ? inLine(one, parts) : wrapper(one, parts, one.ad.asset.vastTagUri),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>${element('VAST', { version: '4.2', xmlns: XMLNS }, ...inside)}`;
}

function inLine(one: VastAd, parts: VastParts): string {
  const { ad, advertiser, categories, servingId } = one;
  return element(
    'InLine',
    {},
    ...reports(one, parts),
    element('AdServingId', {}, escape(servingId)),
    element('AdTitle', {}, escape(ad.name)),
    verifications(ad, parts),
    element('Advertiser', {}, escape(advertiser)),
    ...categories.map((name) => element('Category', { authority: CATEGORIES }, escape(name))),
    element('Creatives', {}, linearCreative(one, parts), companionCreative(one, parts)),
  );
}

function wrapper(one: VastAd, parts: VastParts, tagUri: string): string {
  const linear = element(
    'Linear',
    {},
    trackingEvents(one, parts),
    element('VideoClicks', {}, ...links('ClickTracking', 'click', one, parts)),
  );
  return element(
    'Wrapper',
    { followAdditionalWrappers: 'true', allowMultipleAds: 'false' },
    ...reports(one, parts),
    verifications(one.ad, parts),
    element('Creatives', {}, element('Creative', {}, linear)),
    element('VASTAdTagURI', {}, uri(tagUri)),
  );
}

/** The system, and links for errors and the impression. */
function reports(one: VastAd, parts: VastParts): readonly string[] {
  return [
    element('AdSystem', { version: '1.0' }, SYSTEM),
    ...links('Error', 'error', one, parts),
    ...links('Impression', 'impression', one, parts),
  ];
}

/** Our link of an event, and those of third parties. */
function links(name: string, event: AdEvent, one: VastAd, parts: VastParts): readonly string[] {
  const attributes = name === 'Tracking' ? { event } : {};
  const own = element(name, attributes, uri(eventUrl(event, one, parts)));
  const others = parts.mayMeasure ? one.ad.tracking.filter((pixel) => pixel.event === event) : [];
  return [own, ...others.map(({ url }) => element(name, attributes, uri(url)))];
}

function eventUrl(event: AdEvent, { token }: VastAd, { baseUrl }: VastParts): string {
  // The player replaces the macro (VAST 4.2, section 6.2).
  const code = event === 'error' ? '&code=[ERRORCODE]' : '';
  return `${baseUrl}/v1/ads/events/${event}?token=${token}${code}`;
}

function trackingEvents(one: VastAd, parts: VastParts): string {
  const tracked = LINEAR_EVENTS.flatMap((event) => links('Tracking', event, one, parts));
  return element('TrackingEvents', {}, ...tracked);
}

function linearCreative(one: VastAd, parts: VastParts): string {
  const { ad } = one;
  const { asset } = ad;
  const files = asset.renditions.map(({ url, mime, kbps, width = 0, height = 0 }) =>
    element('MediaFile', { delivery: 'progressive', type: mime, width, height, bitrate: kbps }, uri(url)),
  );
  const clickThrough = element('ClickThrough', {}, uri(eventUrl('click', one, parts)));
  // The redirect counts the click; only third parties are called for it.
  const [, ...others] = links('ClickTracking', 'click', one, parts);
  const clicks = ad.clickThrough === undefined ? [] : [element('VideoClicks', {}, ...others, clickThrough)];
  return element(
    'Creative',
    { adId: asset.name, sequence: 1 },
    element(
      'Linear',
      {},
      trackingEvents(one, parts),
      element('Duration', {}, durationText(asset.seconds)),
      element('MediaFiles', {}, ...files),
      ...clicks,
    ),
    element('UniversalAdId', { idRegistry: ID_REGISTRY }, escape(asset.name)),
  );
}

function companionCreative(one: VastAd, parts: VastParts): string {
  const { ad } = one;
  const companions = ad.companions.flatMap(({ url, mime, width, height }) => {
    if (width === undefined || height === undefined) return [];
    const through = element('CompanionClickThrough', {}, uri(eventUrl('click', one, parts)));
    const resource = element('StaticResource', { creativeType: mime }, uri(url));
    return [element('Companion', { width, height }, resource, ...(ad.clickThrough === undefined ? [] : [through]))];
  });
  if (companions.length === 0) return '';
  return element(
    'Creative',
    { adId: `${ad.asset.name} companion`, sequence: 1 },
    element('CompanionAds', { required: 'none' }, ...companions),
    element('UniversalAdId', { idRegistry: ID_REGISTRY }, escape(`${ad.asset.name} companion`)),
  );
}

/** Scripts for OMID, which an SDK in the player runs. A player that stitches ads into a stream cannot, and calls `notExecuted`. */
function verifications({ verification }: CompiledAd, { mayMeasure }: VastParts): string {
  if (!mayMeasure || verification.length === 0) return '';
  const each = verification.map(({ vendor, url, parameters, notExecuted }) =>
    element(
      'Verification',
      { vendor },
      element('JavaScriptResource', { apiFramework: 'omid', browserOptional: 'true' }, uri(url)),
      notExecuted === undefined
        ? ''
        : element('TrackingEvents', {}, element('Tracking', { event: 'verificationNotExecuted' }, uri(notExecuted))),
      parameters === undefined ? '' : element('VerificationParameters', {}, cdata(parameters)),
    ),
  );
  return element('AdVerifications', {}, ...each);
}

/** `HH:MM:SS`. */
export function durationText(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}
