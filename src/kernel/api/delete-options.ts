import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import type { Propagation } from '#kernel/store/rules/operation.ts';
import { contentTypeOf, decodeCharged } from './body.ts';

/** Options of a deletion: a few names. */
const LIMITS = { bytesMax: 64 * 1024, valuesMax: 1_000, membersMax: 1_000, itemsMax: 1_000 } as const;

export interface DeleteOptions {
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
  readonly propagation: Propagation | undefined;
  readonly dryRun: boolean;
}

/**
 * The options of a deletion: from its body, or from the query when that is empty. Whatever is not understood is refused:
 * somebody asked for it, and without it too much would be deleted.
 */
export async function readDeleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const bytes = await readBody(exchange, LIMITS.bytesMax);
  const query = new URLSearchParams(exchange.queryText);
  const ofQuery = deleteOptionsOf(givenInQuery(query));
  if (bytes.length === 0) return ofQuery;
  const { value, duplicates } = await decodeCharged(
    { exchange, contentType: contentTypeOf(exchange), limits: LIMITS },
    bytes,
  );
  const [twice] = duplicates;
  if (twice !== undefined) throw badOptions(`${twice.join('.')} is given twice`);
  const ofBody = deleteOptionsOf(value);
  return { ...ofBody, dryRun: ofBody.dryRun || ofQuery.dryRun };
}

/** The options of a query, in the form of a body. */
function givenInQuery(query: URLSearchParams): object {
  const text = (name: string) => query.get(name) ?? undefined;
  const orphan = text('orphanDependents')?.toLowerCase();
  const grace = text('gracePeriodSeconds') ?? '';
  const uid = text('uid') ?? '';
  return {
    propagationPolicy: text('propagationPolicy'),
    orphanDependents: orphan === undefined ? undefined : orphan !== 'false' && orphan !== '0',
    gracePeriodSeconds: grace === '' ? undefined : /^-?\d{1,15}$/.test(grace) ? Number(grace) : grace,
    preconditions: uid === '' ? undefined : { uid },
    dryRun: query.getAll('dryRun').filter((value) => value !== ''),
  };
}

const FIELDS: ReadonlySet<string> = new Set([
  'kind',
  'apiVersion',
  'gracePeriodSeconds',
  'preconditions',
  'orphanDependents',
  'propagationPolicy',
  'dryRun',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
]);

/** The options that a document holds; throws a Refusal for one that holds anything else. */
function deleteOptionsOf(value: unknown): DeleteOptions {
  const given = membersOf(value ?? {}, 'DeleteOptions');
  for (const field of Object.keys(given))
    if (!FIELDS.has(field)) throw badOptions(`unknown field ${JSON.stringify(field)}`);
  const kind = textOf(given, 'kind') ?? '';
  textOf(given, 'apiVersion');
  if (kind !== '' && kind !== 'DeleteOptions') throw badOptions(`the body is a ${kind}, not DeleteOptions`);
  const grace = given['gracePeriodSeconds'] ?? 0;
  if (!Number.isSafeInteger(grace)) throw badOptions('gracePeriodSeconds must be a whole number');
  const ignore = given['ignoreStoreReadErrorWithClusterBreakingPotential'] ?? false;
  if (ignore !== false) throw badOptions('ignoreStoreReadErrorWithClusterBreakingPotential is not available here');
  const orphan = given['orphanDependents'] ?? undefined;
  if (orphan !== undefined && typeof orphan !== 'boolean') throw badOptions('orphanDependents must be true or false');
  return {
    preconditions: preconditionsOf(given['preconditions'] ?? {}),
    propagation: propagationOf(textOf(given, 'propagationPolicy'), orphan),
    dryRun: dryRunOf(given['dryRun'] ?? []),
  };
}

function membersOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badOptions(`${what} must be an object`);
}

function textOf(given: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = given[field] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw badOptions(`${field} must be a text`);
}

function preconditionsOf(value: unknown): DeleteOptions['preconditions'] {
  const given = membersOf(value, 'preconditions');
  for (const field of Object.keys(given)) {
    if (field !== 'uid' && field !== 'resourceVersion')
      throw badOptions(`unknown field ${JSON.stringify(`preconditions.${field}`)}`);
  }
  const uid = textOf(given, 'uid');
  const resourceVersion = textOf(given, 'resourceVersion');
  return { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
}

function dryRunOf(value: unknown): boolean {
  if (!Array.isArray(value)) throw badOptions('dryRun must be a list of texts, like ["All"]');
  for (const stage of value) {
    if (typeof stage !== 'string') throw badOptions('dryRun must be a list of texts, like ["All"]');
    if (stage !== 'All') {
      throw invalid('dryRun', `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
    }
  }
  return value.length > 0;
}

const PROPAGATIONS = ['Background', 'Foreground', 'Orphan'] as const satisfies readonly Propagation[];

/** `orphan` is the older way to say it. */
function propagationOf(policy: string | undefined, orphan: boolean | undefined): Propagation | undefined {
  if (policy !== undefined && orphan !== undefined) {
    throw invalid('propagationPolicy', 'Invalid value: orphanDependents and deletionPropagation cannot be both set');
  }
  if (orphan !== undefined) return orphan ? 'Orphan' : 'Background';
  const found = PROPAGATIONS.find((known) => known === policy);
  if (policy === undefined || found !== undefined) return found;
  const supported = PROPAGATIONS.map((known) => JSON.stringify(known)).join(', ');
  throw invalid('propagationPolicy', `Unsupported value: ${JSON.stringify(policy)}: supported values: ${supported}`);
}

function badOptions(what: string): Refusal {
  return resourceRefusal(
    'bad-delete-options',
    `The DeleteOptions cannot be understood, and nothing was deleted: ${what}.`,
  );
}

function invalid(field: string, detail: string): Refusal {
  return resourceRefusal('invalid-delete-options', `DeleteOptions.meta.k8s.io "" is invalid: ${field}: ${detail}`, {
    problems: [{ path: [field], reason: 'FieldValueNotSupported', detail }],
  });
}
