import type { IncomingMessage } from 'node:http';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { User } from '#kernel/api/authority.ts';

/**
 * Authenticates a token. undefined for a token of another sort; throws `access/unauthorized` for an invalid one of this
 * sort, and then no other authenticator is tried.
 */
export type Authenticator = (token: string) => User | undefined | Promise<User | undefined>;

/** Authenticates the sender of a request; undefined without a recognised credential. */
export type Authenticate = (request: Pick<IncomingMessage, 'headers'>) => Promise<User | undefined>;

/** The name is part of every audit record of the user, and of their indexes. */
const USER_NAME_CHARS_MAX = 400;

/** The group of every authenticated user, as in Kubernetes. */
export const AUTHENTICATED = 'system:authenticated';

/** Tries one authenticator after the other; the first that recognises the token decides. */
export function authenticateWith(authenticators: readonly Authenticator[]): Authenticate {
  return async ({ headers }) => {
    const token = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    return userOfToken(authenticators, token);
  };
}

/** The user of a token; undefined when no authenticator recognises it. Throws a Refusal for an invalid one. */
export async function userOfToken(authenticators: readonly Authenticator[], token: string): Promise<User | undefined> {
  for (const authenticator of authenticators) {
    const asked = authenticator(token);
    const user = asked instanceof Promise ? await asked : asked;
    if (user === undefined) continue;
    if (user.name.length > USER_NAME_CHARS_MAX) throw invalidCredentials();
    return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
  }
  return undefined;
}

/** The refusal gives no reason: that would help only an attacker. The log has it. */
export function invalidCredentials(): Refusal {
  return accessRefusal('unauthorized', 'Unauthorized', {
    remedy: 'Send the header "Authorization: Bearer TOKEN"; the kubeconfig in the data directory holds the token.',
  });
}
