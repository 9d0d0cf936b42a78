import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Signer } from './rules/contract.ts';

/**
 * Signs with HMAC-SHA-256: `BASE64URL(payload).BASE64URL(signature)`. The payload is readable for every holder of the
 * token.
 */
export function hmacSigner(secret: Uint8Array): Signer {
  const signatureOf = (body: string): Buffer => createHmac('sha256', secret).update(body).digest();
  return {
    sign: (payload) => {
      const body = Buffer.from(payload).toString('base64url');
      return `${body}.${signatureOf(body).toString('base64url')}`;
    },
    open: (token) => {
      const [body = '', signature = '', ...rest] = token.split('.');
      const given = Buffer.from(signature, 'base64url');
      const right = signatureOf(body);
      if (rest.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
      return Buffer.from(body, 'base64url').toString();
    },
  };
}
