import { isIP } from 'node:net';
import { httpRefusal } from './refusals.ts';
import type { Exchange } from './exchange.ts';
import { isLoopback } from './server.ts';

/** Set by proxies: their clients may be anywhere. */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/** The host of a `Host` header or an origin, without port and brackets; undefined when it is none. */
export function hostIn(authority: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::\d{1,5})?$/i.exec(authority) ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

/**
 * Refuses requests in plain HTTP whose `Host` is none of the server's names: a web page whose name was pointed at this
 * machine (DNS rebinding). An address cannot be pointed elsewhere. With TLS the browser itself refuses such a page.
 */
export function requireOwnHost(exchange: Exchange, names: ReadonlySet<string>): void {
  if ('encrypted' in exchange.request.socket) return;
  const host = hostIn(exchange.header('host') ?? '');
  if (host !== undefined && (isIP(host) !== 0 || host === 'localhost' || names.has(host))) return;
  const shown = (exchange.header('host') ?? '').slice(0, 100);
  throw httpRefusal('foreign-host', `"${shown}" is not a name of this server.`);
}

/**
 * Scheme and authority under which a request reached this server, for links in its answer. With TLS `Host` may be anything,
 * so another name than an address or one of the server's is refused: a cache would give such links to others.
 */
export function requestedBase(exchange: Exchange, names: ReadonlySet<string>): string {
  const authority = exchange.header('host') ?? '';
  const host = hostIn(authority);
  if (host === undefined || (isIP(host) === 0 && host !== 'localhost' && !names.has(host))) {
    throw httpRefusal('foreign-host', `"${authority.slice(0, 100)}" is not a name of this server.`);
  }
  // A proxy that ends TLS says so; anybody may claim it, and gets links that are no less safe.
  const isTls = 'encrypted' in exchange.request.socket || exchange.header('x-forwarded-proto') === 'https';
  return `${isTls ? 'https' : 'http'}://${authority}`;
}

/** Who asks, from where and for how long: a proxy before the server may read another of two values than the server. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'authorization',
  'x-subject-token',
  'x-request-timeout-ms',
]);
/** Most headers have another length: their names need not be read. */
const SINGLE_LENGTHS: ReadonlySet<number> = new Set([...SINGLE_HEADERS].map(({ length }) => length));

/** Refuses a request that has one of these headers twice. */
export function requireSingleHeaders({ request: { rawHeaders } }: Exchange): void {
  let seen = '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (!SINGLE_LENGTHS.has(rawHeaders[index]?.length ?? 0)) continue;
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (!SINGLE_HEADERS.has(name)) continue;
    if (seen.includes(`${name};`)) {
      throw httpRefusal('repeated-header', `The header ${name} is there more than once.`);
    }
    seen += `${name};`;
  }
}

/** Refuses U+0000 in a URL: no name, id or selector has it, and the database does not take it. */
export function requireStorableUrl({ request: { url = '' } }: Exchange): void {
  if (!url.includes('%00')) return;
  throw httpRefusal('unstorable-text', 'The URL has the character U+0000 (%00).', {
    remedy: 'Leave it out: no name, id or selector has it.',
  });
}

/** Whether a request was made on this machine, to this machine, and not passed on by a proxy. */
export function isFromHere(exchange: Exchange): boolean {
  if (!isLoopback(exchange.request.socket.remoteAddress)) return false;
  const host = hostIn(exchange.header('host') ?? '');
  if (host !== 'localhost' && (isIP(host ?? '') === 0 || !isLoopback(host))) return false;
  return FORWARDING_HEADERS.every((name) => exchange.header(name) === undefined);
}

/** Whether a browser says that the request comes from a page of another site; `origin` is what it names, where it does. */
export function isFromForeignPage(exchange: Exchange): boolean {
  const origin = exchange.header('origin');
  const host = exchange.header('host');
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return true;
  const site = exchange.header('sec-fetch-site');
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}
