import { createPublicKey, type KeyObject } from 'node:crypto';

const BITS_MIN = 2_048;
/** Members of a JWK that are public (RFC 7517, RFC 7518). */
const PUBLIC_MEMBERS: ReadonlySet<string> = new Set([
  'kty',
  'use',
  'key_ops',
  'alg',
  'kid',
  'x5c',
  'x5t',
  'x5t#S256',
  'n',
  'e',
  'crv',
  'x',
  'y',
]);
const PRIVATE_MEMBERS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']);

/** Why a JWK is no public key for verifying signatures; the text never cites the key. */
export function publicKeyFault(jwk: object): string | undefined {
  const { kty, use } = jwk as { kty?: unknown; use?: unknown };
  if (kty === 'oct' || Object.keys(jwk).some((member) => PRIVATE_MEMBERS.has(member))) {
    return 'this is a secret: send only the public key, and replace this key, because it has leaked';
  }
  const unknown = Object.keys(jwk).find((member) => !PUBLIC_MEMBERS.has(member));
  if (unknown !== undefined) return `"${unknown.slice(0, 40)}" is no member of a public key`;
  if (use !== undefined && use !== 'sig') return 'it is not for signatures: use must be "sig"';
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return 'it cannot be read as a public key; write it as a JWK of type EC, RSA or OKP';
  }
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (namedCurve === 'prime256v1' || namedCurve === 'secp384r1') return undefined;
      return 'its curve is not supported; use P-256 or P-384';
    case 'rsa':
      if (modulusLength >= BITS_MIN) return undefined;
      return `it has ${modulusLength} bits; use at least ${BITS_MIN}`;
    case 'ed25519':
      return undefined;
    default:
      return 'signatures of this type are not supported; use EC, RSA or Ed25519';
  }
}
