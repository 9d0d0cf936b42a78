import type { Path, Problem } from '#kernel/base/failures.ts';
import type { Kind, ObjectMeta, OwnerReference } from './kind.ts';
import { labelValueProblems, nameProblems, qualifiedNameProblems, type NameForm } from './schema/names.ts';
import { OBJECT_META } from './schema/object-meta.ts';
import { forbiddenProblem, invalid, requiredProblem, tooLong } from './schema/problems.ts';
import { compileValidate } from './schema/validate.ts';

/** Keys and values of all annotations of an object together. */
export const annotationBytesMax = 256 * 1024;

const validateShape = compileValidate(OBJECT_META);

const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** The syntax of names of a kind: mostly DNS subdomains. */
function nameFormOf(kind: Kind): NameForm {
  if (kind.id === 'Namespace') return 'label';
  return kind.group === 'rbac.authorization.k8s.io' ? 'path-segment' : 'subdomain';
}

/**
 * Finds problems of metadata that the schema cannot express: in names, labels, annotations, finalizers and owners. Skips
 * fields that the server writes, and metadata of a wrong shape, which the schema reports.
 */
export function validateMetadata(kind: Kind, metadata: ObjectMeta): readonly Problem[] {
  if (validateShape(metadata).length > 0) return [];
  const { finalizers = [], annotations = {}, labels = {} } = metadata;
  return [
    ...validateNames(kind, metadata),
    ...Object.keys(labels).flatMap((key) => about(['metadata', 'labels'], key, qualifiedNameProblems(key))),
    ...Object.entries(labels).flatMap(([key, value]) =>
      about(['metadata', 'labels', key], value, labelValueProblems(value)),
    ),
    ...validateAnnotations(annotations),
    ...finalizers.flatMap((finalizer, index) => validateFinalizer(kind, finalizer, index)),
    ...(finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')
      ? [invalid(['metadata', 'finalizers'], finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')]
      : []),
    ...validateOwners(metadata.ownerReferences ?? []),
  ];
}

function about(path: Path, value: unknown, explanations: readonly string[]): Problem[] {
  return explanations.map((explanation) => invalid(path, value, explanation));
}

function validateNames(kind: Kind, { name, generateName = '', namespace = '' }: Partial<ObjectMeta>): Problem[] {
  const form = nameFormOf(kind);
  const problems: Problem[] = [];
  if (generateName !== '') {
    // The start of a name may end in what the middle of a name may hold.
    const start = generateName.length > 1 ? generateName.replace(/-$/, 'a') : generateName;
    problems.push(...about(['metadata', 'generateName'], generateName, nameProblems(form, start)));
  }
  if (name === undefined || name === '') {
    if (generateName === '') problems.push(requiredProblem(['metadata', 'name'], 'name or generateName is required'));
  } else {
    problems.push(...about(['metadata', 'name'], name, nameProblems(form, name)));
  }
  if (!kind.namespaced && namespace !== '') {
    problems.push(forbiddenProblem(['metadata', 'namespace'], 'not allowed on this type'));
  } else if (kind.namespaced && namespace === '') {
    problems.push(requiredProblem(['metadata', 'namespace']));
  } else if (kind.namespaced) {
    problems.push(...about(['metadata', 'namespace'], namespace, nameProblems('label', namespace)));
  }
  return problems;
}

function validateAnnotations(annotations: Readonly<Record<string, string>>): Problem[] {
  const problems: Problem[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    // Unlike labels, annotation keys may be written in any case.
    problems.push(...about(['metadata', 'annotations'], key, qualifiedNameProblems(key.toLowerCase())));
  }
  if (bytes > annotationBytesMax) {
    problems.push(tooLong(['metadata', 'annotations'], `must have at most ${annotationBytesMax} bytes`));
  }
  return problems;
}

function validateFinalizer(kind: Kind, finalizer: string, index: number): Problem[] {
  const path = ['metadata', 'finalizers', index];
  const problems = about(path, finalizer, qualifiedNameProblems(finalizer));
  if (problems.length > 0 || finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)) return problems;
  // Kubernetes lets custom resources have plain finalizers and warns; its own kinds refuse them.
  if (kind.group !== '') return [];
  return [invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
}

function validateOwners(owners: readonly OwnerReference[]): Problem[] {
  const problems = owners.flatMap((owner, index) => {
    const path = ['metadata', 'ownerReferences', index];
    const found: Problem[] = [];
    const version = owner.apiVersion.split('/').at(-1) ?? '';
    if (version === '') found.push(invalid([...path, 'apiVersion'], owner.apiVersion, 'version must not be empty'));
    for (const field of ['kind', 'name', 'uid'] as const) {
      if (owner[field] === '') found.push(invalid([...path, field], '', `${field} must not be empty`));
    }
    return found;
  });
  const controllers = owners.filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    const names = controllers.map((owner) => owner.name).join(' and ');
    const explanation = `Only one reference can have Controller set to true. Found "true" in references for ${names}`;
    problems.push(invalid(['metadata', 'ownerReferences'], owners, explanation));
  }
  return problems;
}
