import type { AdRecords } from './open-ad-records.ts';
import type { ReservedAd } from './serve-break.ts';
import { TOKEN_LIMITS, type AdToken } from './serving/ad-token.ts';

/** The parts of tokens that are of their break. */
export type IssuedFor = Pick<AdToken, 'decision' | 'placement' | 'adFreeFeature' | 'subject' | 'mayProfile'>;

/** The tokens of the ads of one answer, in their order. Ads whose token would be too long are not served: `tokenBytesMax`. */
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
    return tokens.seal(token);
  });
}
