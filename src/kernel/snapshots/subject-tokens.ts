import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import type { KnownClient } from './client-table.ts';
import { unauthorizedRefusal } from './unauthorized-refusal.ts';

const LIMITS = {
  /** Tokens whose good signature is remembered: checking one anew costs a hundred times as much as a decision. */
  tokensMax: 10_000,
  tokenCharsMax: 8_192,
} as const;

const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'];

type SubjectOf = (token: string | undefined, client: KnownClient, nowMs: number) => Promise<JWTPayload>;

/** Checks the subject tokens of publishable clients. */
export function subjectTokenReader(): SubjectOf {
  const subjects = new Map<string, { readonly claims: JWTPayload; readonly revision: string }>();
  const keySets = new WeakMap<KnownClient, ReturnType<typeof createLocalJWKSet>>();
  return subjectOf;

  async function subjectOf(token: string | undefined, client: KnownClient, nowMs: number): Promise<JWTPayload> {
    const { subjectTokens } = client.spec;
    if (token === undefined || subjectTokens === undefined || token.length > LIMITS.tokenCharsMax) {
      throw unauthorizedRefusal(
        `Client ${client.name} acts for a subject, and no token of one is here.`,
        subjectTokens === undefined
          ? 'Without tokens it asks for flags and sends events alone; for the rest declare spec.subjectTokens.'
          : `Send the token that ${subjectTokens.issuer} signed for the listener in X-Subject-Token.`,
      );
    }
    const known = subjects.get(token);
    if (known !== undefined && known.revision === client.revision && (known.claims.exp ?? 0) * 1_000 > nowMs)
      return known.claims;
    let keys = keySets.get(client);
    if (keys === undefined) {
      keys = createLocalJWKSet({ keys: subjectTokens.publicKeys });
      keySets.set(client, keys);
    }
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: subjectTokens.issuer,
        audience: subjectTokens.audience,
        algorithms: ALGORITHMS,
        currentDate: new Date(nowMs),
        requiredClaims: ['sub', 'exp'],
      });
      if (subjects.size >= LIMITS.tokensMax) subjects.clear();
      subjects.set(token, { claims: payload, revision: client.revision });
      return payload;
    } catch (error) {
      const why = error instanceof errors.JOSEError ? error.message : 'it cannot be read';
      throw unauthorizedRefusal(
        `The subject token is not good: ${why}.`,
        'Sign one with a key of the Client, its issuer and audience, a sub, and an exp that is to come.',
      );
    }
  }
}
