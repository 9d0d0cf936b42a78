import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { CBOR_TYPE } from './cbor.ts';

/** The form of the answer, from the Accept header. */
export interface AcceptedForm {
  readonly as: 'json' | 'yaml' | 'cbor';
  /** Of a client that prefers CBOR: it takes JSON too. */
  readonly orJson?: true;
  /** A `Table` (meta.k8s.io/v1) instead of objects: kubectl get. */
  readonly table?: 'v1';
  /** Only the metadata, of an object or of each in a list: metadata informers. */
  readonly partial?: 'object' | 'list';
  /** Aggregated discovery in this version, at /api and /apis. */
  readonly discovery?: 'v2' | 'v2beta1';
  /** Indented, for people. */
  readonly pretty?: true;
  /** The client would take a stream of watch events by name (`stream=watch`). */
  readonly stream?: 'watch';
}

function formOf(type: string): AcceptedForm['as'] | undefined {
  if (JSON_RANGES.has(type)) return 'json';
  if (YAML_TYPES.has(type)) return 'yaml';
  return type === CBOR_TYPE ? 'cbor' : undefined;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
  /** 2 for a type with subtype, 1 for a type of any subtype, 0 for anything. */
  readonly precision: number;
}

/** Ranges in one header that are looked at; the rest is not read. Real clients send five. */
const rangesMax = 50;

const JSON_RANGES: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*']);
const YAML_TYPES: ReadonlySet<string> = new Set(['application/yaml', 'application/x-yaml', 'text/yaml']);

/**
 * The first form that the client wants and that we have: by quality, then by precision, then in the client's order.
 * Forms we never give (protobuf, tables of other versions) are passed over. No header means JSON.
 */
export function negotiate(header: string | undefined): AcceptedForm {
  if (header === undefined || header.trim() === '') return { as: 'json' };
  const ranges = header
    .split(',', rangesMax)
    .map(parseRange)
    .filter((range) => range.quality > 0)
    .sort((a, b) => b.quality - a.quality || b.precision - a.precision);
  for (const range of ranges) {
    const accepted = acceptRange(range);
    if (accepted === undefined) continue;
    if (accepted.as !== 'cbor') return accepted;
    return ranges.some(({ type }) => JSON_RANGES.has(type)) ? { ...accepted, orJson: true } : accepted;
  }
  throw resourceRefusal(
    'not-acceptable',
    'only the following media types are accepted: application/json, application/yaml, application/cbor, ' +
      'application/json;as=Table;v=v1;g=meta.k8s.io, application/json;stream=watch',
    { remedy: 'Send the header Accept: application/json.' },
  );
}

function acceptRange({ type, parameters }: MediaRange): AcceptedForm | undefined {
  const as = formOf(type);
  if (as === undefined) return undefined;
  const stream = parameters.get('stream');
  if (stream !== undefined && stream !== 'watch') return undefined;
  const plain: AcceptedForm = stream === undefined ? { as } : { as, stream };
  const form = `${parameters.get('g') ?? ''}/${parameters.get('v') ?? ''} ${parameters.get('as') ?? ''}`;
  switch (form) {
    case '/ ':
      return plain;
    case 'meta.k8s.io/v1 Table':
      return { ...plain, table: 'v1' };
    case 'meta.k8s.io/v1 PartialObjectMetadata':
      return { ...plain, partial: 'object' };
    case 'meta.k8s.io/v1 PartialObjectMetadataList':
      return { ...plain, partial: 'list' };
    case 'apidiscovery.k8s.io/v2 APIGroupDiscoveryList':
      return as === 'json' ? { ...plain, discovery: 'v2' } : undefined;
    case 'apidiscovery.k8s.io/v2beta1 APIGroupDiscoveryList':
      return as === 'json' ? { ...plain, discovery: 'v2beta1' } : undefined;
    default:
      return undefined;
  }
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const [name = '', value = ''] = part.split('=', 2);
    parameters.set(name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1'));
  }
  const quality = Number(parameters.get('q') ?? 1);
  return {
    type: type.toLowerCase(),
    parameters,
    quality: quality >= 0 && quality <= 1 ? quality : 0,
    precision: type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2,
  };
}
