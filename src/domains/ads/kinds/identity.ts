export const GROUP = 'ads.backline.dev';
export const VERSION = 'v1';

export const ADVERTISER = `${GROUP}/Advertiser`;
export const CAMPAIGN = `${GROUP}/Campaign`;
export const AD_POLICY = `${GROUP}/AdPolicy`;
export const AD_SET = `${GROUP}/AdSet`;
export const ASSET = `${GROUP}/Asset`;
export const EXCHANGE_RATE = `${GROUP}/ExchangeRate`;
export const PLACEMENT = `${GROUP}/Placement`;
