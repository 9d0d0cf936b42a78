import { readFile } from 'node:fs/promises';
import type { Clock } from '#kernel/base/clock.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Authenticator } from './authenticate.ts';
import { oidcTokens, type OidcOptions } from './oidc.ts';
import { staticTokens } from './static-tokens.ts';

/** Trusted credentials besides the administrator and service accounts. */
export interface AuthenticatorOptions {
  /** Lines of `token,user,uid,"group1,group2"`. */
  readonly tokenFile?: string | undefined;
  /** The URL that tokens of service accounts name as their issuer. */
  readonly serviceAccountIssuer?: string | undefined;
  readonly oidc?: (Omit<OidcOptions, 'ca'> & { readonly caFile?: string | undefined }) | undefined;
}

/** The authenticators that the command line configures. */
export async function configureAuthenticators(
  { tokenFile, oidc }: AuthenticatorOptions,
  clock: Clock,
  log: Log,
): Promise<readonly Authenticator[]> {
  const found: Authenticator[] = [];
  if (tokenFile !== undefined) found.push(staticTokens(await readNamed(tokenFile, 'token file')));
  if (oidc !== undefined) {
    const { caFile, ...issuer } = oidc;
    const ca = caFile === undefined ? undefined : await readNamed(caFile, 'certificate of the issuer');
    found.push(oidcTokens({ ...issuer, ca }, clock, log));
  }
  return found;
}

async function readNamed(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw accessRefusal('unreadable-file', `The ${what} cannot be read: ${why}.`);
  }
}
