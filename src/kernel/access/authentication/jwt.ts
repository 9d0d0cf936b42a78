import { decodeJwt, decodeProtectedHeader } from 'jose';

/** What a token claims, before anybody has checked its signature: enough to know who should. */
export interface Claimed {
  readonly issuer: string;
  readonly keyId: string | undefined;
}

/** Undefined when the token is not a signed JWT. */
export function claimed(token: string): Claimed | undefined {
  try {
    const { iss } = decodeJwt(token);
    const { kid } = decodeProtectedHeader(token);
    return typeof iss === 'string' ? { issuer: iss, keyId: kid } : undefined;
  } catch {
    return undefined;
  }
}
