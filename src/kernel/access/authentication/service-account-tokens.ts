import { randomUUID } from 'node:crypto';
import { SignJWT, errors, jwtVerify } from 'jose';
import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { User } from '#kernel/api/authority.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { serviceAccountUser } from '../rules/rule-table.ts';
import { ServiceAccount } from '../kinds/service-account.ts';
import type { TokenRequestSpec } from '../kinds/token-request.ts';
import { AUTHENTICATED, invalidCredentials, type Authenticator } from './authenticate.ts';
import { readClaims } from './jwt.ts';
import type { SigningKey } from './signing-keys.ts';

const LIMITS = {
  /** Default of the request. */
  secondsDefault: 3_600,
  /** A longer lifetime is not granted; such a request gets this much. */
  secondsMax: 365 * 24 * 3_600,
  /** Clocks of processes may differ by this much. */
  clockToleranceSeconds: 10,
  /** Users in a chain of tokens that were minted with tokens. */
  mintersMax: 16,
} as const;

/** The issuer claim where the installation has no URL for it, and the default audience. */
export const ISSUER = 'backline';

/** The claim that names the users who minted a token. */
const MINTED_BY = 'backline.dev/minted-by';

export interface ServiceAccountTokens {
  /** Issues a token for an existing account, with its minters. Refuses a missing account. */
  readonly issue: (
    namespace: string,
    name: string,
    wanted: TokenRequestSpec,
    minter: Pick<User, 'name' | 'mintedBy'>,
  ) => Promise<{ readonly token: string; readonly expirationTimestamp: string }>;
  readonly authenticator: Authenticator;
  /**
   * The user of a token, and the matching ones of these audiences; undefined when it is not one of ours. Throws a
   * Refusal when it is invalid, or is for another audience.
   */
  readonly review: (
    token: string,
    audiences: readonly string[],
  ) => Promise<{ readonly user: User; readonly audiences: readonly string[] } | undefined>;
}

/**
 * Signs and verifies tokens of service accounts. A token ends at its time, and with its account.
 *
 * @param issuer the issuer claim of new tokens: a URL where others verify them, see `issuer-documents.ts`
 */
export function serviceAccountTokens(
  keys: readonly SigningKey[],
  accounts: Pick<Reader, 'get'>,
  clock: Clock,
  issuer = ISSUER,
): ServiceAccountTokens {
  const [signing] = keys;
  if (signing === undefined) throw new Error('there is no key to sign with');
  return {
    issue: async (namespace, name, { audiences, expirationSeconds }, minter) => {
      const minters = mintersOf(minter);
      const account = accounts.get(ServiceAccount, namespace, name);
      if (account === undefined) throw notFoundRefusal(ServiceAccount, name);
      const issuedAt = Math.floor(clock().epochMilliseconds / 1000);
      const seconds = Math.min(expirationSeconds ?? LIMITS.secondsDefault, LIMITS.secondsMax);
      const wanted = audiences ?? [];
      const claims = {
        'kubernetes.io': { namespace, serviceaccount: { name, uid: account.uid } },
        [MINTED_BY]: minters,
      };
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: signing.id })
        .setIssuer(issuer)
        .setSubject(serviceAccountUser(namespace, name))
        .setAudience(wanted.length === 0 ? [ISSUER] : [...wanted])
        .setIssuedAt(issuedAt)
        .setNotBefore(issuedAt)
        .setExpirationTime(issuedAt + seconds)
        .setJti(randomUUID())
        .sign(signing.privateKey);
      const ends = Temporal.Instant.fromEpochMilliseconds((issuedAt + seconds) * 1000);
      return { token, expirationTimestamp: kubernetesTime(ends) };
    },
    authenticator: async (token) => (await review(token, [ISSUER]))?.user,
    review,
  };

  async function review(token: string, audiences: readonly string[]) {
    const claims = readClaims(token);
    // Tokens from before the issuer had a URL are valid until they end.
    if (claims?.issuer !== ISSUER && claims?.issuer !== issuer) return undefined;
    const key = keys.find(({ id }) => id === claims.keyId);
    if (key === undefined) throw invalidCredentials();
    const verified = await verify(token, key, { issuer: claims.issuer, audiences, clock });
    const { namespace, serviceaccount } = verified.account;
    const account = accounts.get(ServiceAccount, namespace, serviceaccount.name);
    if (account === undefined || account.uid !== serviceaccount.uid || isEnding(account)) throw invalidCredentials();
    const meant = audiences.filter((audience) => verified.audiences.includes(audience));
    return { user: userOf(verified), audiences: meant };
  }
}

/** A user whose rights are checked after authentication. */
export interface Holder extends Pick<User, 'name' | 'groups'> {
  readonly uid: string | undefined;
}

/** True for a ServiceAccount that was deleted since, also when another one has its name. */
export function isGone(accounts: Pick<Reader, 'get'>, { name, uid }: Holder): boolean {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  if (namespace === undefined || account === undefined) return false;
  const entry = accounts.get(ServiceAccount, namespace, account);
  return entry === undefined || entry.uid !== uid || isEnding(entry);
}

interface VerifiedToken {
  readonly account: {
    readonly namespace: string;
    readonly serviceaccount: { readonly name: string; readonly uid: string };
  };
  readonly tokenId: string;
  readonly audiences: readonly string[];
  readonly mintedBy: readonly string[];
}

async function verify(
  token: string,
  key: SigningKey,
  {
    issuer,
    audiences,
    clock,
  }: { readonly issuer: string; readonly audiences: readonly string[]; readonly clock: Clock },
): Promise<VerifiedToken> {
  try {
    const { payload } = await jwtVerify(token, key.publicKey, {
      issuer,
      audience: [...audiences],
      algorithms: ['ES256'],
      clockTolerance: LIMITS.clockToleranceSeconds,
      currentDate: new Date(clock().epochMilliseconds),
      requiredClaims: ['exp', 'kubernetes.io', MINTED_BY],
    });
    // Only we sign with this key: the claims have the form that `issue` gives them.
    return {
      account: payload['kubernetes.io'] as VerifiedToken['account'],
      tokenId: payload.jti ?? '',
      audiences: [payload.aud ?? []].flat(),
      mintedBy: payload[MINTED_BY] as readonly string[],
    };
  } catch (error) {
    if (isWithoutMinter(error)) throw withoutMinter();
    if (error instanceof errors.JOSEError) throw invalidCredentials();
    throw error;
  }
}

/** Reads claims only of a token with our signature. */
function isWithoutMinter(error: unknown): boolean {
  return error instanceof errors.JWTClaimValidationFailed && error.claim === MINTED_BY && error.reason === 'missing';
}

/** Without its minters, the approval of a change by this token cannot be attributed. */
function withoutMinter(): Refusal {
  return accessRefusal(
    'token-without-minter',
    'An older version of Backline minted this token and did not record its minter.',
  );
}

function isEnding(account: Entry): boolean {
  return account.object().metadata.deletionTimestamp !== undefined;
}

/** The minter of a token, and the minters of the token used for it. */
export function mintersOf({ name, mintedBy = [] }: Pick<User, 'name' | 'mintedBy'>): readonly string[] {
  const minters = [...new Set([name, ...mintedBy])];
  if (minters.length <= LIMITS.mintersMax) return minters;
  throw accessRefusal(
    'too-many-minters',
    `A token minted with this one would have a chain of ${minters.length} users; at most ${LIMITS.mintersMax} are allowed.`,
  );
}

function userOf({ account: { namespace, serviceaccount }, tokenId, mintedBy }: VerifiedToken): User {
  return {
    name: serviceAccountUser(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${tokenId}`], [MINTED_BY]: mintedBy },
    mintedBy,
  };
}

/** Refuses unsupported options of a token request before a token is made. */
export function requireUnbound({ boundObjectRef }: TokenRequestSpec): void {
  if (boundObjectRef === undefined || boundObjectRef === null) return;
  throw accessRefusal('no-bound-tokens', 'Tokens cannot be bound to other objects here.');
}
