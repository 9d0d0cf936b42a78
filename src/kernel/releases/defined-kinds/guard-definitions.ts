import type { Problem } from '#kernel/base/failures.ts';
import { CustomResourceDefinition } from '#kernel/definitions/kinds/custom-resource-definition.ts';
import { releasedProblems } from '#kernel/definitions/kinds/released-schema.ts';
import { conditionOf, digestIn, digestOf, type DefinitionDigest } from '#kernel/definitions/rules/digest.ts';
import { RELEASED_ANNOTATION, RELEASED_CONDITION } from '#kernel/definitions/rules/released-annotation.ts';
import { invalid as invalidValue, notSupportedProblem } from '#kernel/kinds/schema/problems.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Entry, Reader } from '#kernel/store/contract.ts';
import { invalid, type Admission } from '#kernel/store/rules/write.ts';
import { Release } from '../kinds/release.ts';
import type { Targets } from '../kinds/targets.ts';
import { releaseRefusal } from '../refusals.ts';

/** Objects and releases that a refusal names. */
const NAMED_MAX = 3;

const AT = ['metadata', 'annotations', RELEASED_ANNOTATION];

/**
 * Refuses definitions whose objects cannot be released, and changes that would take from releases what they carry. Decides within the
 * write itself.
 */
export function definitionGuard(parts: {
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly live: () => LiveObjects;
}): Admission {
  return {
    mayAsk: ({ kind, operation, current, read }) => {
      if (kind !== CustomResourceDefinition || operation.verb !== 'delete' || current === undefined) return;
      const digest = digestOf(current);
      if (!digest.isTerminating && (digest.target !== undefined || isUnderRelease(digest)))
        requireNothingLive(digest, parts.live(), read);
    },
    mayStore: ({ kind, operation, current, object, read }) => {
      if (kind !== CustomResourceDefinition || ('part' in operation && operation.part === 'status')) return;
      const digest = digestIn(object);
      const before = current === undefined ? undefined : digestOf(current);
      if (before !== undefined) requireFree(before, digest, read);
      if (digest.target === undefined) return;
      const problems = [
        ...targetProblems(digest, parts.targets),
        ...releasedProblems(object),
        ...nameProblems(digest, parts.kinds, read),
      ];
      if (problems.length > 0) throw invalid(kind, digest.name, problems);
    },
  };
}

/** Whether objects are released, or were a moment ago. */
function isUnderRelease(digest: DefinitionDigest): boolean {
  return conditionOf(digest, RELEASED_CONDITION) !== undefined;
}

function kindIdOf({ group, names }: DefinitionDigest): string {
  return `${group}/${names.kind}`;
}

function targetProblems({ target }: DefinitionDigest, targets: Targets): readonly Problem[] {
  const names = targets.filter(({ carries }) => carries === undefined).map(({ name }) => name);
  return target !== undefined && names.includes(target)
    ? []
    : [notSupportedProblem(AT, target, ['true', 'false', ...names])];
}

/** Names of Heads are those of kinds with names of objects behind: no two kinds may come to the same. */
function nameProblems(digest: DefinitionDigest, { all }: KindRegistry, read: Reader): readonly Problem[] {
  const { name, names } = digest;
  const defined = read.find(CustomResourceDefinition, 'plural', names.plural).map(digestOf);
  const taken = [
    ...all
      .filter((kind) => kind.released && kind.definition === undefined)
      .map((kind) => `${kind.plural}.${kind.group}`),
    ...defined.filter((other) => other.target !== undefined || isUnderRelease(other)).map((other) => other.name),
  ];
  const other = taken.find((one) => one !== name && (one.startsWith(`${name}.`) || name.startsWith(`${one}.`)));
  if (other === undefined) return [];
  const text = `Heads of its objects could have the names of Heads of ${other}: give it another plural or group`;
  return [invalidValue(['metadata', 'name'], name, text)];
}

/** Refuses to take the objects of an open release out of it, and to move live objects to another target. */
function requireFree(before: DefinitionDigest, after: DefinitionDigest, read: Reader): void {
  if (before.target === undefined || before.target === after.target || before.isTerminating) return;
  if (after.target !== undefined) {
    if (!isUnderRelease(before)) return;
    const text = `changes of its objects go to ${before.target}: take the annotation away first, which ends their Heads`;
    throw invalid(CustomResourceDefinition, after.name, [invalidValue(AT, after.target, text)]);
  }
  const open = openReleases(before, read);
  if (open.length > 0) throw inReleases(before, 'stop being released', open);
}

function openReleases(digest: DefinitionDigest, read: Pick<Reader, 'find'>): readonly Entry[] {
  return releasesWith(kindIdOf(digest), read);
}

/** The open releases that carry objects of a kind. */
export function releasesWith(kindId: string, read: Pick<Reader, 'find'>): readonly Entry[] {
  return read
    .find(Release, 'open', 'true')
    .filter((entry) => Release.spec(entry.object()).objects.some(({ kind }) => kind === kindId));
}

function inReleases({ name, names }: DefinitionDigest, what: string, open: readonly Entry[]): Error {
  return releaseRefusal(
    'definition-in-release',
    `CustomResourceDefinition "${name}" cannot ${what}: objects of the kind ${names.kind} are in ${listOf(open, 'open release')}`,
    { subject: name, remedy: `Wait until they end, or abort them: backline release abort ${open[0]?.name}.` },
  );
}

function requireNothingLive(digest: DefinitionDigest, live: LiveObjects, read: Reader): void {
  const { name, names } = digest;
  const open = openReleases(digest, read);
  if (open.length > 0) throw inReleases(digest, 'be deleted', open);
  const objects = [...live.list(kindIdOf(digest))];
  if (objects.length === 0) return;
  throw releaseRefusal(
    'definition-live',
    `CustomResourceDefinition "${name}" cannot be deleted: ${listOf(objects, `live ${names.kind}`)} would be gone at once, for everyone`,
    {
      subject: name,
      remedy: `Delete its objects first, which is released as any change, or end their release: kubectl annotate crd ${name} ${RELEASED_ANNOTATION}-`,
    },
  );
}

/** `2 open releases: a, b`. */
function listOf(all: readonly { readonly name: string }[], what: string): string {
  const named = all.slice(0, NAMED_MAX).map(({ name }) => name);
  const more = all.length - named.length;
  return `${all.length} ${what}${all.length === 1 ? '' : 's'}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
