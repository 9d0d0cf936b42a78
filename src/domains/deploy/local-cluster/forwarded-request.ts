import type { IncomingMessage } from 'node:http';

/** Headers of one connection (RFC 9110, 7.6.1), which are not passed on. */
const OF_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Members of Connection that name no further header. */
const WITHOUT_HEADER = new Set(['close', 'keep-alive', 'upgrade', 'te', '']);
const FORWARDED_FOR = 'x-forwarded-for';
const FORWARDED_HOST = 'x-forwarded-host';
const FORWARDED_PROTO = 'x-forwarded-proto';
const ABSOLUTE = /^https?:\/\/([^/?#]+)([^#]*)/i;

/** Host, in lower case and without its port, and path that a request asks for. */
interface RequestTarget {
  readonly host: string;
  readonly path: string;
  /** The host as the target names it, where that replaces the header. */
  readonly authority?: string;
}

interface RequestRefusal {
  readonly status: number;
  readonly detail: string;
}

/** The target of a request, or why it has none that is safe to pass on. */
export function targetOf({ url = '', headers, rawHeaders }: IncomingMessage): RequestTarget | RequestRefusal {
  // The parser keeps the first Host. A replica may trust another, and so answer for it.
  if (countOf(rawHeaders, 'host') > 1) return { status: 400, detail: 'The request has more than one Host header.' };
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    return { status: 501, detail: `The transfer encoding ${encoding} is not known; chunked is.` };
  }
  if (url.startsWith('/') || url === '*') return { host: hostOf(headers.host), path: url };
  const [, authority, path] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined || path === undefined) {
    return { status: 400, detail: 'The target of the request begins with / or http://.' };
  }
  return { host: hostOf(authority), path: path.startsWith('/') ? path : `/${path}`, authority };
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Headers for a replica, in the flat form of Node. */
export function headersFor(asked: IncomingMessage, { authority }: RequestTarget): string[] {
  const { headers, socket, rawHeaders } = asked;
  const kept = passedOn(rawHeaders, headers.connection, FORWARDED_FOR);
  const host = authority ?? headers.host ?? '';
  if (authority !== undefined) {
    for (let index = 0; index < kept.length; index += 2) {
      if (kept[index]?.toLowerCase() === 'host') kept[index + 1] = authority;
    }
  }
  const before = headers[FORWARDED_FOR];
  const address = socket.remoteAddress ?? '';
  kept.push(FORWARDED_FOR, before === undefined ? address : `${String(before)}, ${address}`);
  if (headers[FORWARDED_HOST] === undefined) kept.push(FORWARDED_HOST, host);
  if (headers[FORWARDED_PROTO] === undefined) kept.push(FORWARDED_PROTO, 'http');
  if (headers['transfer-encoding'] !== undefined) kept.push('transfer-encoding', 'chunked');
  return kept;
}

/** Headers without those of the connection, and without one more. */
export function passedOn(raw: readonly string[], connection: string | undefined, less?: string): string[] {
  const named = connection === undefined ? undefined : headersNamedIn(connection);
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (OF_CONNECTION.has(lower) || lower === less || named?.has(lower) === true) continue;
    kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

/** Trailers in the form that `addTrailers` takes. */
export function trailersOf({ rawTrailers }: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index < rawTrailers.length; index += 2) {
    pairs.push([rawTrailers[index] ?? '', rawTrailers[index + 1] ?? '']);
  }
  return pairs;
}

function headersNamedIn(connection: string): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (const member of connection.split(',')) {
    const name = member.trim().toLowerCase();
    // The length of a body and the host stay: without them a request is another one.
    if (WITHOUT_HEADER.has(name) || name === 'host' || name === 'content-length') continue;
    named ??= new Set();
    named.add(name);
  }
  return named;
}

function hostOf(host = ''): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

function countOf(raw: readonly string[], header: string): number {
  let count = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    if (name.length === header.length && name.toLowerCase() === header) count += 1;
  }
  return count;
}
