import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { User } from '#kernel/api/authority.ts';
import type { Authenticator } from './authenticate.ts';
import { digest } from './digest.ts';

/** Users of a file; a file replaces no directory. */
const USERS_MAX = 10_000;

/**
 * Authenticates the tokens of a file in the format of Kubernetes: `token,user,uid,"group1,group2"`, one user a line.
 */
export function staticTokens(text: string): Authenticator {
  const users = new Map<string, User>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [token = '', name = '', uid = '', groups = ''] = readFields(line, index + 1);
    if (token === '' || /\s/.test(token)) throw wrongLine(index + 1, 'it has no token, or one with spaces in it');
    if (name === '') throw wrongLine(index + 1, 'it names no user');
    const key = digest(token).toString('base64');
    if (users.has(key)) throw wrongLine(index + 1, 'another line has the same token');
    if (users.size >= USERS_MAX) throw wrongLine(index + 1, `there are more than ${USERS_MAX} users`);
    const names = groups.split(',').map((group) => group.trim());
    users.set(key, { name, ...(uid === '' ? {} : { uid }), groups: names.filter((group) => group !== '') });
  }
  // Looked up by digest, so that timing reveals nothing about the tokens.
  return (token) => users.get(digest(token).toString('base64'));
}

const FIELD = /\s*(?:"((?:[^"]|"")*)"\s*|([^,"]*))(,|$)/y;

/** The fields of a line of CSV. */
function readFields(line: string, number: number): string[] {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (let last = false; !last;) {
    const match = FIELD.exec(line);
    if (match === null) throw wrongLine(number, 'its quotes do not match');
    fields.push(match[1]?.replaceAll('""', '"') ?? (match[2] ?? '').trim());
    last = match[3] !== ',';
  }
  return fields;
}

/** Never cites the line: it holds a token. */
function wrongLine(number: number, why: string): Refusal {
  return accessRefusal('bad-token-file', `Line ${number} of the token file cannot be used: ${why}.`);
}
