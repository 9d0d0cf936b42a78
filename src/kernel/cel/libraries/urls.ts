import { CelError } from '../cel-error.ts';
import {
  maxOf,
  TEXTS_COST,
  method,
  noOverload,
  overload,
  type CelFunction,
  type Cost,
  type Library,
} from '../functions.ts';
import { BOOL, listOf, mapOf, opaque, STRING } from '../types.ts';
import { Opaque, type Value } from '../values.ts';

const URL_TYPE = opaque('kubernetes.URL');
const SYNTAX =
  /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/(?:[^@/?#]*@)?(\[[0-9A-Fa-f:.%]+\]|[^:/?#\s[\]]*)(?::(\d*))?)?([^?]*)(?:\?(.*))?$/s;

class Address extends Opaque {
  readonly typeName = 'kubernetes.URL';
  readonly key: string;
  readonly scheme: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;

  constructor(key: string, [, scheme = '', host = '', port = '', path = '', query = '']: readonly string[]) {
    super();
    this.key = key;
    this.scheme = scheme.toLowerCase();
    this.hostname = host;
    this.port = port;
    this.path = path;
    this.query = query;
  }
}

/** Every character is decoded or encoded anew: some 100 ns. */
const ENCODING_COST: Cost = {
  of: ([url]) => (url instanceof Address ? url.key.length : 0),
  worst: ([url]) => maxOf(url),
};

/** Absolute URLs, and paths that begin with a slash. */
export const URLS: Library = {
  functions: [
    {
      name: 'url',
      overloads: [overload([STRING], URL_TYPE)],
      call: (text: Value) => {
        const found = parse('url', text);
        if (found === undefined) throw new CelError(`URL parse error during conversion from string: "${String(text)}"`);
        return found;
      },
      cost: TEXTS_COST,
    },
    {
      name: 'isURL',
      overloads: [overload([STRING], BOOL)],
      call: (text: Value) => parse('isURL', text) !== undefined,
      cost: TEXTS_COST,
    },
    part('getScheme', ({ scheme }) => scheme),
    part('getHost', ({ hostname, port }) => (port === '' ? hostname : `${hostname}:${port}`)),
    part('getHostname', ({ hostname }) => hostname.replace(/^\[(.*)\]$/, '$1')),
    part('getPort', ({ port }) => port),
    { ...part('getEscapedPath', ({ path }) => escapePath(path)), cost: ENCODING_COST },
    {
      name: 'getQuery',
      overloads: [method([URL_TYPE], mapOf(STRING, listOf(STRING)))],
      call: (value: Value) => queryOf(addressIn('getQuery', value)),
      cost: ENCODING_COST,
    },
  ],
  types: { 'kubernetes.URL': URL_TYPE },
};

function parse(name: string, text: Value): Address | undefined {
  if (typeof text !== 'string') throw noOverload(name, text);
  const found = SYNTAX.exec(text);
  // eslint-disable-next-line no-control-regex -- no URL has any
  if (found === null || text === '' || /[\u0000-\u001f\u007f]/.test(text)) return undefined;
  const [, scheme = '', host = '', port, path = ''] = found;
  if (scheme === '' && !path.startsWith('/')) return undefined;
  if (scheme !== '' && path !== '' && !path.startsWith('/')) return undefined;
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || / /.test(host)) return undefined;
  return new Address(text, [text, scheme, host, port ?? '', path, found[5] ?? '']);
}

function addressIn(name: string, value: Value): Address {
  if (!(value instanceof Address)) throw noOverload(name, value);
  return value;
}

function part(name: string, of: (url: Address) => string): CelFunction {
  return { name, overloads: [method([URL_TYPE], STRING)], call: (value: Value) => of(addressIn(name, value)) };
}

function escapePath(path: string): string {
  return path.toWellFormed().replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]+/gu, encodeURIComponent);
}

function queryOf({ query }: Address): Value {
  const values: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) (values[name] ??= []).push(value);
  return values;
}
