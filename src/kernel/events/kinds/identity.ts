export const GROUP = 'events.backline.dev';
export const VERSION = 'v1';

/** `Kind.id` of the kinds here, for references and lookups. */
export const EVENT_TYPE = `${GROUP}/EventType`;
export const METRIC = `${GROUP}/Metric`;
export const DATASET = `${GROUP}/Dataset`;

/** The type of events that say who saw what of a release. Built in: nobody declares it. */
export const RELEASE_EXPOSURE = 'release-exposure';
