export const GROUP = 'releases.backline.dev';
export const VERSION = 'v1';
/** Collects what belongs together until the release of that name is sealed. */
export const GROUP_LABEL = `${GROUP}/group`;
