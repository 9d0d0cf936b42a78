import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import type { Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import type { User } from '#kernel/api/authority.ts';
import { readText, send } from '#kernel/api/client/http.ts';
import { invalidCredentials, type Authenticator } from './authenticate.ts';
import { readClaims } from './jwt.ts';

const LIMITS = {
  /** Older keys are fetched again. */
  keysAgeMsMax: 3_600_000,
  /** A token with an unknown key causes a fetch, at most this often. */
  keysAgeMsMin: 30_000,
  clockToleranceSeconds: 60,
} as const;

/** Signatures that only the issuer can make. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/**
 * An OpenID Connect issuer, and the mapping of its claims to users; the names are those of kube-apiserver's options.
 */
export interface OidcOptions {
  /** https, or http on this machine. */
  readonly issuerUrl: string;
  /** Required audience of tokens. */
  readonly clientId: string;
  /** Default `sub`. */
  readonly usernameClaim?: string | undefined;
  /** Default `ISSUER#` unless the claim is `email`; `-` means none. */
  readonly usernamePrefix?: string | undefined;
  /** Without it users have no groups. */
  readonly groupsClaim?: string | undefined;
  readonly groupsPrefix?: string | undefined;
  /** PEM of the authority that signed the issuer's certificate; default: the system's authorities. */
  readonly ca?: string | undefined;
}

/** Authenticates the ID tokens of one issuer. Fetches its keys on first use. */
export function oidcTokens(options: OidcOptions, clock: Clock, log: Log): Authenticator {
  requireSafe(options.issuerUrl);
  const keys = issuerKeys(options, clock, log);
  return async (token) => {
    const claims = readClaims(token);
    if (claims?.issuer !== options.issuerUrl) return undefined;
    const keySet = await keys(claims.keyId);
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(keySet), {
        issuer: options.issuerUrl,
        audience: options.clientId,
        algorithms: ALGORITHMS,
        clockTolerance: LIMITS.clockToleranceSeconds,
        currentDate: new Date(clock().epochMilliseconds),
        requiredClaims: ['exp'],
      });
      return userOf(payload, options);
    } catch (error) {
      if (!(error instanceof errors.JOSEError || error instanceof UnusableClaim)) throw error;
      log.info({ code: error.code }, 'access: OpenID Connect token rejected');
      throw invalidCredentials();
    }
  };
}

/** A claim of a sound token from which no user can be made. */
class UnusableClaim extends Error {
  readonly code: string;
  constructor(code: 'USERNAME_CLAIM' | 'EMAIL_NOT_VERIFIED' | 'RESERVED_NAME') {
    super(code);
    this.code = code;
  }
}

/** No token from outside may name one of the program's own users or groups. */
const RESERVED = 'system:';

function userOf(payload: JWTPayload, options: OidcOptions): User {
  const { issuerUrl, usernameClaim = 'sub', groupsClaim, groupsPrefix = '' } = options;
  const claim = payload[usernameClaim];
  // Names are part of every audit record: no characters that the database or a log line cannot hold.
  if (typeof claim !== 'string' || !/^[^\p{Cc}\p{Cs}]{1,256}$/u.test(claim)) throw new UnusableClaim('USERNAME_CLAIM');
  if (usernameClaim === 'email' && payload['email_verified'] === false) throw new UnusableClaim('EMAIL_NOT_VERIFIED');
  const { usernamePrefix = usernameClaim === 'email' ? '-' : `${issuerUrl}#` } = options;
  const name = `${usernamePrefix === '-' ? '' : usernamePrefix}${claim}`;
  if (name.startsWith(RESERVED)) throw new UnusableClaim('RESERVED_NAME');
  const given = groupsClaim === undefined ? [] : payload[groupsClaim];
  const groups = (Array.isArray(given) ? given : [given])
    .filter((group) => typeof group === 'string' && group !== '')
    .map((group) => `${groupsPrefix}${group}`)
    .filter((group) => !group.startsWith(RESERVED));
  return { name, groups };
}

/** The issuer's keys, fetched when they are old or lack the requested one. */
function issuerKeys(
  options: OidcOptions,
  clock: Clock,
  log: Log,
): (keyId: string | undefined) => Promise<JSONWebKeySet> {
  let kept: { readonly keys: JSONWebKeySet; readonly at: number } | undefined;
  let fetching: Promise<JSONWebKeySet> | undefined;
  return async (keyId) => {
    const now = clock().epochMilliseconds;
    const has = kept?.keys.keys.some(({ kid }) => keyId === undefined || kid === keyId) === true;
    const age = kept === undefined ? Infinity : now - kept.at;
    if (kept !== undefined && age < (has ? LIMITS.keysAgeMsMax : LIMITS.keysAgeMsMin)) return kept.keys;
    try {
      fetching ??= fetchKeys(options);
      kept = { keys: await fetching, at: now };
    } catch (error) {
      log.warn({ err: error, issuer: options.issuerUrl }, 'access: cannot fetch the keys of the OpenID Connect issuer');
      // Keys that were valid an hour ago are better than locking every user out.
      if (kept === undefined) throw issuerAway();
    } finally {
      fetching = undefined;
    }
    return kept.keys;
  };
}

async function fetchKeys(options: OidcOptions): Promise<JSONWebKeySet> {
  const base = options.issuerUrl.replace(/\/$/, '');
  const discovery = await fetchJson(`${base}/.well-known/openid-configuration`, options.ca);
  const { issuer, jwks_uri: address } = discovery as { issuer?: unknown; jwks_uri?: unknown };
  if (issuer !== options.issuerUrl) throw new Error(`${base} says that it is ${String(issuer)}`);
  if (typeof address !== 'string') throw new Error(`${base} names no jwks_uri`);
  requireSafe(address);
  const { keys } = (await fetchJson(address, options.ca)) as Partial<JSONWebKeySet>;
  if (!Array.isArray(keys)) throw new Error(`${address} holds no keys`);
  return { keys };
}

async function fetchJson(address: string, ca: string | undefined): Promise<unknown> {
  const answer = await send({ server: address, ca }, 'GET', address);
  const text = await readText(answer);
  if (answer.statusCode !== 200) throw new Error(`${address} answered with status ${answer.statusCode}`);
  return JSON.parse(text);
}

function requireSafe(address: string): void {
  const { protocol, hostname } = URL.parse(address) ?? { protocol: '', hostname: '' };
  if (protocol === 'https:') return;
  if (protocol === 'http:' && /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(hostname)) return;
  throw accessRefusal('unsafe-issuer', `${address} does not use https.`);
}

function issuerAway(): Refusal {
  return accessRefusal('issuer-away', 'The issuer of this token cannot be reached now.', {
    retryAfterSeconds: 5,
  });
}
