/** Parts of the tokens of an ad that are always the same: names, and the page of a click. */
export interface AdIdentity {
  readonly ad: string;
  readonly adSet: string;
  readonly campaign: string;
  readonly advertiser: string;
  readonly clickThrough?: string | undefined;
}

/** Bytes that an ad takes in its tokens, at most. */
export function tokenBytesOf({ ad, adSet, campaign, advertiser, clickThrough = '' }: AdIdentity): number {
  return Buffer.byteLength(JSON.stringify([ad, adSet, campaign, advertiser, clickThrough]));
}
