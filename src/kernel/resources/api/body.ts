import { Refusal, fieldPath, type Path } from '#kernel/base/failures.ts';
import { nameSuffix } from '#kernel/base/ids.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import { decodeBody, readingCost } from '../codec/body.ts';
import type { Decoded } from '../codec/json.ts';
import type { Kind, ResourceObject } from '../kind.ts';
import type { FieldValidation, Propagation } from '../operation.ts';
import { ITEMS_MAX, MEMBERS_MAX, type DocumentLimits } from '../schema/weight.ts';
import type { Target } from './request.ts';

/** Options of a deletion: a few names. */
const DELETE_OPTIONS = { bytesMax: 64 * 1024, valuesMax: 1_000, membersMax: 1_000, itemsMax: 1_000 } as const;

/** The object of a request body, in the version and namespace of its path. */
export async function readObject(
  exchange: Exchange,
  kind: Kind,
  fieldValidation: FieldValidation,
): Promise<{ value: ResourceObject; warnings: readonly string[] }> {
  const { value, duplicates } = await readDocument(exchange, contentTypeOf(exchange), limitsOf(kind));
  const warnings = duplicateWarnings(duplicates, fieldValidation);
  const given = value as Partial<ResourceObject> | null;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new Refusal('resources/not-an-object', 'BadRequest', `The body must be one ${kind.kind} object.`);
  }
  const { apiVersion = kind.apiVersion, kind: name = kind.kind, metadata = {} } = given;
  if (apiVersion !== kind.apiVersion || name !== kind.kind) {
    throw new Refusal(
      'resources/wrong-kind',
      'BadRequest',
      `${String(apiVersion)} ${String(name)} does not match the expected ${kind.apiVersion} ${kind.kind} of this path.`,
    );
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new Refusal('resources/bad-metadata', 'BadRequest', 'metadata must be an object.');
  }
  return { value: { ...given, apiVersion, kind: name, metadata } as ResourceObject, warnings };
}

function contentTypeOf(exchange: Exchange): string | undefined {
  return exchange.request.headers['content-type'];
}

interface BodyLimits extends DocumentLimits {
  readonly bytesMax: number;
}

function limitsOf({ bodyBytesMax, bodyValuesMax }: Kind): BodyLimits {
  return { bytesMax: bodyBytesMax, valuesMax: bodyValuesMax, membersMax: MEMBERS_MAX, itemsMax: ITEMS_MAX };
}

/** The body, which its sender has paid for before anything is made of it. */
function readCharged(exchange: Exchange, bytesMax: number): Promise<Buffer> {
  return readBody(exchange, bytesMax, readingCost(contentTypeOf(exchange)));
}

/** What the body says. A large one is read in turns with everything else. */
async function readDocument(exchange: Exchange, contentType: string | undefined, limits: BodyLimits): Promise<Decoded> {
  return inTurns(decodeBody(contentType, await readCharged(exchange, limits.bytesMax), limits));
}

function duplicateWarnings(duplicates: readonly Path[], fieldValidation: FieldValidation): string[] {
  const messages = duplicates.map((path) => `duplicate field "${fieldPath(path)}"`);
  if (fieldValidation === 'Ignore') return [];
  if (fieldValidation === 'Warn' || messages.length === 0) return messages;
  throw new Refusal('resources/duplicate-field', 'BadRequest', `strict decoding error: ${messages.join(', ')}`, {
    problems: duplicates.map((path) => ({
      path,
      reason: 'FieldValueDuplicate',
      detail: 'the key is given twice; only the last would count',
    })),
  });
}

/** The name of an object that is to be created: its own, or a new one that begins as it wishes. */
export function nameFor(kind: Kind, { metadata }: ResourceObject): string {
  const { generateName } = metadata;
  const name: unknown =
    metadata.name ?? (typeof generateName === 'string' && generateName !== '' ? `${generateName}${nameSuffix()}` : '');
  if (typeof name === 'string' && name !== '') return name;
  throw new Refusal('resources/no-name', 'Invalid', `${kind.kind} has no name: name or generateName is required`, {
    problems: [
      {
        path: ['metadata', 'name'],
        reason: 'FieldValueRequired',
        detail: 'Required value: name or generateName is required',
      },
    ],
  });
}

/** Refuses an object that names itself otherwise than the path does. */
export function requireMatch({ metadata }: ResourceObject, target: Target): void {
  if (target.name !== undefined && metadata.name !== undefined && metadata.name !== target.name) {
    throw new Refusal(
      'resources/name-mismatch',
      'BadRequest',
      `the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`,
    );
  }
  const namespace = target.namespace ?? '';
  if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== namespace) {
    throw new Refusal(
      'resources/namespace-mismatch',
      'BadRequest',
      `the namespace of the provided object (${metadata.namespace}) does not match the namespace sent on the request (${namespace})`,
    );
  }
}

interface DeleteOptions {
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
  readonly propagation: Propagation | undefined;
  readonly dryRun: boolean;
}

/** The options of a deletion: from its body, or from the query when that is empty. */
export async function readDeleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const bytes = await readCharged(exchange, DELETE_OPTIONS.bytesMax);
  if (bytes.length === 0) {
    const { propagationPolicy, orphanDependents } = Object.fromEntries(new URLSearchParams(exchange.queryText));
    const orphan = orphanDependents === undefined ? undefined : orphanDependents === 'true';
    return { preconditions: {}, propagation: propagationOf(propagationPolicy, orphan), dryRun: false };
  }
  const { value } = await inTurns(decodeBody(contentTypeOf(exchange), bytes, DELETE_OPTIONS));
  const given = (value ?? {}) as {
    preconditions?: Record<string, unknown> | null;
    propagationPolicy?: unknown;
    orphanDependents?: unknown;
    dryRun?: unknown;
  };
  const text = (field: string) => {
    const wanted = given.preconditions?.[field];
    return typeof wanted === 'string' ? { [field]: wanted } : {};
  };
  return {
    preconditions: { ...text('uid'), ...text('resourceVersion') },
    propagation: propagationOf(given.propagationPolicy ?? undefined, given.orphanDependents ?? undefined),
    dryRun: Array.isArray(given.dryRun) && given.dryRun.includes('All'),
  };
}

const PROPAGATIONS = ['Background', 'Foreground', 'Orphan'] as const satisfies readonly Propagation[];

/** `orphan` is the older way to say it. */
function propagationOf(policy: unknown, orphan: unknown): Propagation | undefined {
  if ((policy !== undefined && typeof policy !== 'string') || (orphan !== undefined && typeof orphan !== 'boolean')) {
    throw new Refusal(
      'resources/bad-delete-options',
      'BadRequest',
      'propagationPolicy must be a text and orphanDependents true or false.',
    );
  }
  if (policy !== undefined && orphan !== undefined) {
    throw invalidPropagation('Invalid value: orphanDependents and deletionPropagation cannot be both set');
  }
  if (orphan !== undefined) return orphan ? 'Orphan' : 'Background';
  const found = PROPAGATIONS.find((known) => known === policy);
  if (policy === undefined || found !== undefined) return found;
  const supported = PROPAGATIONS.map((known) => JSON.stringify(known)).join(', ');
  throw invalidPropagation(`Unsupported value: ${JSON.stringify(policy)}: supported values: ${supported}`);
}

function invalidPropagation(detail: string): Refusal {
  return new Refusal(
    'resources/invalid-delete-options',
    'Invalid',
    `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: ${detail}`,
    { problems: [{ path: ['propagationPolicy'], reason: 'FieldValueNotSupported', detail }] },
  );
}

/** A patch document. Its media type says the kind of patch; the document itself is always JSON. */
export async function readPatch(
  exchange: Exchange,
  kind: Kind,
  fieldValidation: FieldValidation,
): Promise<{ value: unknown; warnings: readonly string[] }> {
  const { value, duplicates } = await readDocument(exchange, 'application/json', limitsOf(kind));
  return { value, warnings: duplicateWarnings(duplicates, fieldValidation) };
}
