import type { Problem } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import type { CheckContext } from '#kernel/kinds/kind.ts';
import { servedVersions } from '#kernel/kinds/registry.ts';

/** Problems of one refusal. */
const PROBLEMS_MAX = 100;

type KnownKinds = NonNullable<CheckContext['kinds']>;

/**
 * Problems of the objects of a draft that no later step could report well: what kind it is, its name, its version. Everything else
 * may be unfinished. Pure.
 */
export function draftObjectProblems(objects: readonly unknown[], kinds: KnownKinds): readonly Problem[] {
  const byName = new Map(kinds.flatMap(servedVersions).map((kind) => [`${kind.apiVersion} ${kind.kind}`, kind]));
  const positions = new Map<string, number>();
  const problems: Problem[] = [];
  for (const [position, object] of objects.entries()) {
    if (problems.length >= PROBLEMS_MAX) break;
    const at = ['spec', 'objects', position];
    problems.push(...problemsOf(object, position).map((problem) => ({ ...problem, path: [...at, ...problem.path] })));
  }
  return problems;

  function problemsOf(object: unknown, position: number): readonly Problem[] {
    if (!isRecord(object)) return [{ path: [], reason: 'FieldValueInvalid', detail: 'must be an object' }];
    const { apiVersion, kind: kindName, metadata } = object;
    const found: Problem[] = [];
    for (const [field, value] of Object.entries({ apiVersion, kind: kindName })) {
      if (typeof value !== 'string' || value === '')
        found.push({ path: [field], reason: 'FieldValueRequired', detail: 'Required value: a text' });
    }
    const kind = byName.get(`${String(apiVersion)} ${String(kindName)}`);
    if (found.length === 0 && (kind === undefined || !mayBeDrafted(kind))) {
      const detail =
        kind === undefined
          ? `no kind "${String(kindName)}" in version "${String(apiVersion)}" is known: see kubectl api-resources`
          : `a ${kind.kind} cannot be in a draft: ${whyNot(kind)}`;
      found.push({ path: ['kind'], reason: 'FieldValueNotSupported', detail });
    }
    const ofMetadata = metadataProblems(metadata);
    if (kind === undefined || !isRecord(metadata) || ofMetadata.length > 0) return [...found, ...ofMetadata];
    const key = `${kind.id} ${String(metadata['namespace'] ?? '')}/${String(metadata['name'])}`;
    return [...found, ...duplicateProblems(key, position)];
  }

  function metadataProblems(metadata: unknown): readonly Problem[] {
    const path = ['metadata'];
    if (!isRecord(metadata)) return [{ path, reason: 'FieldValueRequired', detail: 'Required value: an object' }];
    const { name, namespace = '', resourceVersion = '' } = metadata;
    const found: Problem[] = [];
    if (typeof name !== 'string' || name === '')
      found.push({ path: [...path, 'name'], reason: 'FieldValueRequired', detail: 'Required value: a text' });
    if (typeof namespace !== 'string')
      found.push({ path: [...path, 'namespace'], reason: 'FieldValueInvalid', detail: 'must be a text' });
    if (typeof resourceVersion !== 'string' || !/^[0-9]{0,20}$/.test(resourceVersion)) {
      const detail = 'must be the text of metadata.resourceVersion of the object that the draft builds on';
      found.push({ path: [...path, 'resourceVersion'], reason: 'FieldValueInvalid', detail });
    }
    for (const field of ['labels', 'annotations'] as const) {
      if (metadata[field] !== undefined && !isRecord(metadata[field]))
        found.push({ path: [...path, field], reason: 'FieldValueInvalid', detail: 'must be an object' });
    }
    return found;
  }

  function duplicateProblems(key: string, position: number): readonly Problem[] {
    const first = positions.get(key);
    if (first === undefined) positions.set(key, position);
    const detail = `is in the draft twice: also as objects[${first}]`;
    return first === undefined ? [] : [{ path: ['metadata', 'name'], reason: 'FieldValueDuplicate', detail }];
  }
}

const DRAFT = 'releases.backline.dev/Draft';

/** Whether a draft may hold objects of a kind: a draft is stored as it is, so what is secret stays out. */
function mayBeDrafted({ id, verbs, confidential }: KnownKinds[number]): boolean {
  return id !== DRAFT && verbs.includes('create') && verbs.includes('update') && confidential !== true;
}

function whyNot({ confidential, id }: KnownKinds[number]): string {
  if (confidential === true) return 'it is sealed where it is stored, and a draft is not';
  return id === DRAFT ? 'drafts are not nested' : 'it is not declared by users';
}
