export const GROUP = 'audiences.backline.dev';
export const VERSION = 'v1';
export const ATTRIBUTE = `${GROUP}/Attribute`;
export const AUDIENCE = `${GROUP}/Audience`;
