/** Stands before the name of a Client in who asks, for its requests that come without a subject token. */
export const ANONYMOUS = 'anonymous:';
