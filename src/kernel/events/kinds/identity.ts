export const GROUP = 'events.backline.dev';
export const VERSION = 'v1';

/** `Kind.id` of the kinds here, for references and lookups. */
export const EVENT_TYPE = `${GROUP}/EventType`;
export const METRIC = `${GROUP}/Metric`;
export const DATASET = `${GROUP}/Dataset`;

/** The built-in type of exposure events of releases. */
export const RELEASE_EXPOSURE = 'release-exposure';
