import type { IncomingMessage } from 'node:http';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { ResourceAttributes, User } from '#kernel/api/authority.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { ServiceAccount } from '../kinds/service-account.ts';
import { AUTHENTICATED } from './authenticate.ts';
import { mintersOf } from './service-account-tokens.ts';

/** Values of all headers of a request that impersonate. Each is checked by itself. */
const VALUES_MAX = 100;

const PREFIX = 'impersonate-';
const EXTRA = 'impersonate-extra-';
const AUTHENTICATION_GROUP = 'authentication.k8s.io';

/** The user that a request is for: another one, where its headers say so and its sender may. */
export type Impersonate = (sender: User, request: Pick<IncomingMessage, 'rawHeaders'>) => User;

/**
 * Impersonation as in Kubernetes: the headers `Impersonate-User`, `-Group`, `-Uid` and `-Extra-…`, each with the verb
 * `impersonate` on its own resource. The sender counts as a minter: approvals and the audit record know who acts.
 */
export function impersonation(
  authorize: (user: User, wanted: ResourceAttributes) => void,
  accounts: Pick<Reader, 'get'>,
): Impersonate {
  return (sender, request) => {
    const wanted = wantedIn(request.rawHeaders);
    if (wanted === undefined) return sender;
    for (const { group, resource, subresource = '', namespace = '', name } of attributesOf(wanted)) {
      authorize(sender, { verb: 'impersonate', group, resource, subresource, namespace, name });
    }
    const account = accountOf(wanted.user);
    // Like a token, it ends with the account.
    const uid =
      wanted.uid ??
      (account === undefined ? undefined : accounts.get(ServiceAccount, account.namespace, account.name)?.uid);
    const groups = wanted.groups.length > 0 ? wanted.groups : groupsOf(account);
    return {
      name: wanted.user,
      groups: groups.includes(AUTHENTICATED) ? groups : [...groups, AUTHENTICATED],
      mintedBy: mintersOf(sender),
      ...(uid === undefined ? {} : { uid }),
      ...(wanted.extra.size === 0 ? {} : { extra: Object.fromEntries(wanted.extra) }),
    };
  };
}

/** For a process that knows no rules, and so not who may impersonate. */
export const refuseImpersonation: Impersonate = (sender, { rawHeaders }) => {
  if (wantedIn(rawHeaders) === undefined) return sender;
  throw accessRefusal('no-impersonation', 'Impersonation is not supported on this node.');
};

interface OtherUser {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

function wantedIn(rawHeaders: readonly string[]): OtherUser | undefined {
  // Nearly every request: nothing is made for it.
  if (!rawHeaders.some(isOurs)) return undefined;
  const users: string[] = [];
  const uids: string[] = [];
  const groups: string[] = [];
  const extra = new Map<string, string[]>();
  let values = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (!name.startsWith(PREFIX)) continue;
    const value = rawHeaders[index + 1] ?? '';
    values += 1;
    if (name === 'impersonate-user') users.push(value);
    else if (name === 'impersonate-uid') uids.push(value);
    else if (name === 'impersonate-group') groups.push(value);
    else if (name.startsWith(EXTRA)) addTo(extra, decodedKey(name.slice(EXTRA.length)), value);
    // A header that nobody understands must not be answered with other rights than its sender means.
    else throw badHeader(`the header ${rawHeaders[index] ?? ''} is not known`);
  }
  if (values === 0) return undefined;
  const [user = ''] = users;
  if (user === '') throw badHeader('groups, a UID or extra are there without a user');
  if (users.length > 1 || uids.length > 1) throw badHeader('a user or a UID is there twice');
  if (values > VALUES_MAX) throw badHeader(`there are more than ${VALUES_MAX} of them`);
  if (groups.includes('')) throw badHeader('a group has no name');
  return { user, uid: uids[0], groups, extra };
}

/** Whether a header impersonates, or a value looks like one that does. */
function isOurs(text: string): boolean {
  return text.length >= PREFIX.length && text.slice(0, PREFIX.length).toLowerCase() === PREFIX;
}

function addTo(extra: Map<string, string[]>, key: string, value: string): void {
  const known = extra.get(key);
  if (known === undefined) extra.set(key, [value]);
  else known.push(value);
}

/** Keys are percent-encoded, as names of headers cannot have every character. */
function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

type NeededRight = Pick<ResourceAttributes, 'group' | 'resource' | 'name'> &
  Partial<Pick<ResourceAttributes, 'subresource' | 'namespace'>>;

function* attributesOf({ user, uid, groups, extra }: OtherUser): Iterable<NeededRight> {
  const account = accountOf(user);
  if (account === undefined) yield { group: '', resource: 'users', name: user };
  else yield { group: '', resource: 'serviceaccounts', ...account };
  for (const name of groups) yield { group: '', resource: 'groups', name };
  if (uid !== undefined) yield { group: AUTHENTICATION_GROUP, resource: 'uids', name: uid };
  for (const [key, values] of extra) {
    for (const name of values) yield { group: AUTHENTICATION_GROUP, resource: 'userextras', subresource: key, name };
  }
}

function accountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

function groupsOf(account: { readonly namespace: string } | undefined): readonly string[] {
  return account === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
}

function badHeader(why: string): Refusal {
  return accessRefusal('bad-impersonation', `The headers that impersonate a user cannot be followed: ${why}.`);
}
