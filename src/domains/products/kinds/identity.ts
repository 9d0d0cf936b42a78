export const GROUP = 'products.backline.dev';
export const VERSION = 'v1';

/** `Kind.id` of the kinds here, for references and lookups. */
export const FEATURE = `${GROUP}/Feature`;
export const PLAN = `${GROUP}/Plan`;
export const MARKET = `${GROUP}/Market`;
export const PRICE = `${GROUP}/Price`;
export const CAP = `${GROUP}/Cap`;
export const ADD_ON = `${GROUP}/AddOn`;
