/**
 * Stands before the name of a Client in who asks, for its requests that come without a subject token, and before the id
 * that the sender chose where it is a subject or a unit.
 */
export const ANONYMOUS = 'anonymous:';
