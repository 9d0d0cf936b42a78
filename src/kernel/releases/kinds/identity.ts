export const GROUP = 'releases.backline.dev';
export const VERSION = 'v1';
/** Collects what belongs together until the release of that name is sealed. */
export const GROUP_LABEL = `${GROUP}/group`;

const named = (kind: string) => `${GROUP}/${kind}`;

export const RELEASE_POLICY = named('ReleasePolicy');
export const FREEZE = named('Freeze');
export const PIN = named('Pin');
export const STOP = named('Stop');
