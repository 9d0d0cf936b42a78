import type { AdRecords } from './open-ad-records.ts';
import { adRefusal } from './refusals.ts';
import type { ReservedAd } from './serve-break.ts';
import { TOKEN_LIMITS, type AdSubject, type AdToken } from './serving/ad-token.ts';

/** The break that tokens are sealed for. */
export interface IssuedFor {
  /** See `AdToken`. */
  readonly decision: string;
  /** Live name of the placement. */
  readonly placement: string;
  readonly adFreeFeature: string;
  readonly subject: AdSubject;
  readonly mayProfile: boolean;
}

/** The tokens of the ads of one answer, in their order. */
export function issueTokens(
  { tokens, clock }: AdRecords,
  served: readonly ReservedAd[],
  { decision, placement, adFreeFeature, subject, mayProfile }: IssuedFor,
): readonly string[] {
  const issuedMs = clock().epochMilliseconds;
  return served.map(({ adSet, ad, reservation }, place): string => {
    const token: AdToken = {
      decision,
      place,
      ad: ad.name,
      adSet: adSet.name,
      campaign: adSet.campaign,
      advertiser: adSet.advertiser,
      placement,
      subject,
      adFreeFeature,
      goal: adSet.goal,
      micros: reservation.micros,
      currency: adSet.currency,
      slice: reservation.slice === '' ? undefined : reservation.slice,
      reservedUntilMs: reservation.untilMs,
      issuedMs,
      expiresMs: issuedMs + TOKEN_LIMITS.lifetimeMs,
      seconds: ad.asset.seconds,
      clickThrough: ad.clickThrough,
      mayProfile,
    };
    const text = tokens.seal(token);
    if (text.length <= TOKEN_LIMITS.charsMax) return text;
    throw adRefusal('invalid-question', 'The ids and names of the question are too long for a link.', {
      remedy: 'Name listeners, plans and markets by ids of a hundred characters at most.',
    });
  });
}
