export const GROUP = 'releases.backline.dev';
export const VERSION = 'v1';
/** Label that collects changes in one release until it is sealed. */
export const GROUP_LABEL = `${GROUP}/group`;
