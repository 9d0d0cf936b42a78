import { exportJWK } from 'jose';
import { accessRefusal } from '#kernel/access/refusals.ts';
import { apiDocument, type ApiDocument } from '#kernel/api/document.ts';
import type { SigningKey } from './signing-keys.ts';

/** Where others learn to verify tokens of service accounts (OpenID Connect Discovery 1.0). */
const ISSUER_PATHS = {
  configuration: '/.well-known/openid-configuration',
  keys: '/openid/v1/jwks',
} as const;

/** Makes the document at a path; undefined where there is none. It throws a Refusal where the installation has no issuer. */
export type IssuerDocument = (path: string) => (() => ApiDocument) | undefined;

/** @param issuer the URL that tokens name; undefined where nobody configured one */
export async function issuerDocuments(
  keys: readonly SigningKey[],
  issuer: string | undefined,
): Promise<IssuerDocument> {
  const jwks = await Promise.all(
    keys.map(async ({ id, publicKey }) => ({ ...(await exportJWK(publicKey)), kid: id, alg: 'ES256', use: 'sig' })),
  );
  const keyDocument = apiDocument({ keys: jwks }, 'application/jwk-set+json');
  const configuration = issuer === undefined ? undefined : apiDocument(configurationOf(issuer));
  return (path) => {
    if (path === ISSUER_PATHS.keys) return () => keyDocument;
    if (path !== ISSUER_PATHS.configuration) return undefined;
    return () => {
      if (configuration !== undefined) return configuration;
      throw accessRefusal('no-issuer', 'Tokens of this installation name no URL as their issuer.');
    };
  };
}

function configurationOf(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}${ISSUER_PATHS.keys}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
