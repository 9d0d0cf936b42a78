import { decodeJwt, decodeProtectedHeader } from 'jose';

/** Unverified claims of a token: enough to choose its authenticator. */
export interface TokenClaims {
  readonly issuer: string;
  readonly keyId: string | undefined;
}

/** undefined when the token is not a signed JWT. */
export function readClaims(token: string): TokenClaims | undefined {
  try {
    const { iss } = decodeJwt(token);
    const { kid } = decodeProtectedHeader(token);
    return typeof iss === 'string' ? { issuer: iss, keyId: kid } : undefined;
  } catch {
    return undefined;
  }
}
