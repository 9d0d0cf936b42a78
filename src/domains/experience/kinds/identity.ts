export const GROUP = 'experience.backline.dev';
export const VERSION = 'v1';
export const FLAG = `${GROUP}/Flag`;
export const EXPERIMENT = `${GROUP}/Experiment`;
export const HOLDOUT = `${GROUP}/Holdout`;
