export const GROUP = 'deploy.backline.dev';
export const VERSION = 'v1';

export const COMPONENT = `${GROUP}/Component`;
export const CLUSTER = `${GROUP}/Cluster`;

/** The target of Components. */
export const CLUSTERS = 'clusters';
