import type { IncomingMessage } from 'node:http';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { User } from '#kernel/api/authority.ts';

/**
 * Proves who bears a token. Undefined when it is not a token of this sort; throws `access/unauthorized` when it is one
 * that is not to be believed: then no other sort is tried.
 */
export type Authenticator = (token: string) => User | undefined | Promise<User | undefined>;

/** Proves who sends a request; undefined when it brings no credential that anybody recognises. */
export type Authenticate = (request: Pick<IncomingMessage, 'headers'>) => Promise<User | undefined>;

/** The name stands in every record of what a user did, and in the indexes of these. */
const USER_NAME_CHARS_MAX = 400;

/** Whoever is proved is in it, as in Kubernetes. */
export const AUTHENTICATED = 'system:authenticated';

/** Asks one authenticator after the other; the first that recognises the token decides. */
export function authenticateWith(authenticators: readonly Authenticator[]): Authenticate {
  return async ({ headers }) => {
    const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    for (const name in headers) if (name.startsWith('impersonate-')) throw noImpersonation();
    return userOfToken(authenticators, token);
  };
}

/** Whose a token is; undefined when nobody recognises it. Throws a Refusal for one that is not to be believed. */
export async function userOfToken(authenticators: readonly Authenticator[], token: string): Promise<User | undefined> {
  for (const authenticator of authenticators) {
    const asked = authenticator(token);
    const user = asked instanceof Promise ? await asked : asked;
    if (user === undefined) continue;
    if (user.name.length > USER_NAME_CHARS_MAX) throw notBelieved();
    return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
  }
  return undefined;
}

/** Who asks to be taken for somebody else must not be answered as themselves. */
function noImpersonation(): Refusal {
  return accessRefusal('no-impersonation', 'Nobody can act as somebody else here.');
}

/** The caller is not told why: that would help only who tries out tokens. The log is. */
export function notBelieved(): Refusal {
  return accessRefusal('unauthorized', 'Unauthorized', {
    remedy: 'Send the header "Authorization: Bearer TOKEN"; the kubeconfig in the data directory holds the token.',
  });
}
