import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import type { Clock } from '#kernel/base/clock.ts';
import { fieldPath, Refusal, type Problem } from '#kernel/base/failures.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { problemWithoutValues } from '#kernel/kinds/confidential.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Kind, ResourceObject, World } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { liveCondition, releasedStatus } from '#kernel/kinds/released-status.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Entry, Outcome, Store } from '#kernel/store/contract.ts';
import { refuseTooHeavy } from '#kernel/kinds/schema/weight.ts';
import { atPosition, invalid, objectLimits, shapeProblems, type Admission } from '#kernel/store/rules/write.ts';
import { Overlay, liveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { fieldChanges } from '#kernel/base/field-changes.ts';
import { allot } from '../allot.ts';
import { policiesIn, policyConflicts, selectPolicies } from '../rules/choose-policy.ts';
import { sameSide } from '../engine/same-side.ts';
import { selectionIn, unitsAdvice } from '../advice.ts';
import { Freeze } from '../kinds/freeze.ts';
import type { Targets } from '../kinds/targets.ts';
import type { KnownUnits } from '../known-units.ts';
import { policySpec, RELEASE_POLICY } from '../kinds/release-policy.ts';
import { Release } from '../kinds/release.ts';
import { selectionText } from '../rules/selection.ts';
import { stagesText } from '../kinds/stages-text.ts';
import { wantedLive } from '../live.ts';
import { settle, type Candidate } from '../settle.ts';
import { isObserved, whenReleased } from '../when-released.ts';
import { ChangeAnswerSchema, type ChangeAnswer, type ChangeResult } from './change-answer.ts';

const LIMITS = {
  /** One atomic change; more belongs in several. */
  objectsMax: 10_000,
  /** Problems told at once. */
  problemsMax: 100,
} as const;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const ChangeSetSpec = Type.Object(
  {
    defaultNamespace: Type.String({ description: 'Where objects go that name no namespace.', default: 'default' }),
    objects: Type.Array(Type.Object({}, free), {
      description: 'Whole objects as they should be; their order does not matter.',
      minItems: 1,
      maxItems: LIMITS.objectsMax,
    }),
  },
  { description: 'What should be declared.' },
);

/**
 * Several objects declared at once: all or none. Posting one applies it and answers what changed; with `dryRun=All` it
 * answers what would change. Not stored.
 */
export const ChangeSet = defineKind({
  group: 'releases.backline.dev',
  version: 'v1',
  kind: 'ChangeSet',
  plural: 'changesets',
  scope: 'Cluster',
  description: 'Several objects that are declared at once: all or none.',
  spec: ChangeSetSpec,
  status: ChangeAnswerSchema,
  verbs: ['create'],
  // Each object in it is asked about.
  postedBy: 'everyone',
  /** A whole business: the sample has 150 KB. */
  bodyBytesMax: 8 * 1024 * 1024,
  bodyValuesMax: 400_000,
  writesOthers: true,
});

interface Item {
  readonly position: number;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** Its live name. */
  readonly liveAs: string;
  readonly object: ResourceObject;
}

/** How posted change sets are carried out. */
export function changeSets(options: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly live: LiveObjects;
  /** Whether the author may write an object at all; throws a Refusal. The write itself asks again. */
  readonly mayAsk: Admission['mayAsk'];
  readonly knownUnits: KnownUnits;
  readonly clock: Clock;
}): VirtualKind {
  const { store, kinds, targets, live, mayAsk, knownUnits, clock } = options;
  return async (given, { author, dryRun, limit }) => {
    const named = itemsIn(given, kinds);
    await inTurns(eachOf(named.items, (item) => requireMayWrite(item, author)));
    const problems = [...named.problems];
    await inTurns(eachOf(named.items, (item) => addProblems(item, problems)));
    if (problems.length > 0) throw invalid(ChangeSet, given.metadata.name ?? '', problems.slice(0, LIMITS.problemsMax));
    const items = inOrder(named.items, kinds);
    const before = new Map<Item, unknown>();
    await inTurns(eachOf(items, (item) => before.set(item, beforeOf(item))));
    const labels = items.map((item) => labelsOf(item));
    const outcomes = await store.write(items.map(operationOf), author, { dryRun, limit });
    const pairs = items.map((item, index) => [item, outcomes[index] as Outcome] as const);
    const candidates = pairs.filter(([{ kind }]) => kind.released).map(([item, { entry }]) => candidateOf(item, entry));
    const unsettled = settle(live, candidates, kinds);
    const held = new Map([...unsettled, ...allot(live, candidates, unsettled, kinds).short]);
    const world = new Overlay(live, kinds);
    for (const { kind, name, wanted } of candidates) world.put(kind, name, wanted);
    const releaseNow = () => (dryRun ? undefined : madeFrom(outcomes));
    if (!dryRun) {
      // Labels are no part of a generation: only their release tells that they were seen.
      const isRelabelled = pairs.some(
        ([item, { did, entry }], index) =>
          did === 'changed' &&
          !held.has(liveKey(item.kind.id, item.liveAs)) &&
          labels[index]?.every((other) => !isDeepStrictEqual(other, entry.labels)) === true,
      );
      await whenReleased(store, outcomes, () => !isRelabelled || releaseNow() !== undefined);
    }
    const results: ChangeResult[] = [];
    await inTurns(
      eachOf(pairs, ([item, outcome]) => {
        const problems = held.get(liveKey(item.kind.id, item.liveAs)) ?? [];
        const selected = selectedText(item, outcome, outcomes);
        const result = resultOf(item, outcome, before.get(item), problems, world, clock(), selected);
        results[item.position] = dryRun ? result : { ...result, ...standingOf(item, result) };
      }),
    );
    const { metadata } = given;
    const release = releaseNow();
    const policy = policyOf(candidates);
    return {
      apiVersion: ChangeSet.apiVersion,
      kind: ChangeSet.kind,
      metadata,
      status: {
        version: String(store.version()),
        ...(release === undefined ? {} : { release }),
        ...(policy === undefined ? {} : { policy }),
        results,
      },
    };
  };

  /** Asked before the content of an object costs anything. */
  function requireMayWrite(item: Item, author: Author): void {
    const { kind, namespace, name, position } = item;
    const current = store.get(kind, namespace, name);
    try {
      mayAsk({ operation: operationOf(item), kind, current, author, read: store, now: clock() });
    } catch (error) {
      throw error instanceof Refusal ? atPosition(error, position) : error;
    }
  }

  /** The policies that what is not live yet comes under: as it is live, and as it is declared. */
  function policyOf(candidates: readonly Candidate[]): ChangeAnswer['policy'] {
    const changed = candidates.flatMap(({ kind, name, wanted }) => {
      const now = live.get(kind, name);
      if (wanted === undefined || sameSide(wanted, now)) return [];
      return [wanted, ...(now === undefined ? [] : [now])].map((side) => ({ ...side, kind: kinds.byId(kind) }));
    });
    const policies = selectPolicies(policiesIn(store, kinds), changed);
    const [policy, ...others] = policies;
    if (policy === undefined) return undefined;
    return {
      name: policy.name,
      stages: stagesText(policy.spec),
      approvals: policy.spec.approvals?.required ?? 0,
      others: others.map(({ name, spec }) => ({ name, approvals: spec.approvals?.required ?? 0 })),
      conflicts: [...policyConflicts(policies)],
      warnings: [...unitsAdvice(policy.spec, targets, knownUnits)],
    };
  }

  /** Who a policy or a freeze that is declared selects now. */
  function selectedText({ kind }: Item, { entry, did }: Outcome, outcomes: readonly Outcome[]): readonly string[] {
    if (did === 'nothing' || (kind.id !== RELEASE_POLICY && kind !== Freeze)) return [];
    const { selector } = kind === Freeze ? Freeze.spec(entry.object()) : policySpec(entry.object());
    if (selector === undefined) return [];
    const written = outcomes.map((one) => one.entry);
    return [`It selects ${selectionText(selectionIn(selector, { store, kinds, written }))}, as things are now.`];
  }

  /** The release of what this write declared. */
  function madeFrom(outcomes: readonly Outcome[]): string | undefined {
    const versions = outcomes.flatMap(({ did, entry }) => (did === 'nothing' ? [] : [entry.version]));
    if (versions.length === 0) return undefined;
    return store.find(Release, 'changeSet', String(Math.min(...versions))).at(-1)?.name;
  }

  /** What the engine says of an object: the release that carries it, or what holds it where the world itself does not. */
  function standingOf({ kind, namespace, name }: Item, { problems }: ChangeResult): Partial<ChangeResult> {
    const entry = kind.released ? store.get(kind, namespace, name) : undefined;
    if (entry === undefined) return {};
    const { release } = releasedStatus(entry.object());
    const live = liveCondition(entry.object());
    if (live?.status !== 'False') return {};
    if (live.reason === 'InRelease') return release === undefined ? {} : { release };
    return problems.length > 0 || !isObserved(entry) ? {} : { problems: [{ path: '', message: live.message }] };
  }

  /** The labels that a released object is declared with, and those that are live. */
  function labelsOf({ kind, namespace, name, liveAs }: Item): readonly unknown[] | undefined {
    if (!kind.released) return undefined;
    return [store.get(kind, namespace, name)?.labels, live.get(kind.id, liveAs)?.labels];
  }

  /** What plans compare with: the live spec of a kind that is released, else the declared object. */
  function beforeOf({ kind, namespace, name, liveAs }: Item): unknown {
    if (kind.released) return live.get(kind.id, liveAs)?.spec;
    const object = store.get(kind, namespace, name)?.object();
    return object === undefined ? undefined : content(object);
  }
}

function resultOf(
  item: Item,
  { did, entry, warnings = [] }: Outcome,
  before: unknown,
  problems: readonly Problem[],
  world: World,
  now: Temporal.Instant,
  selected: readonly string[],
): ChangeResult {
  const { kind, name, namespace } = item;
  const object = entry.object();
  const fields = kind.released
    ? fieldChanges({ spec: before }, { spec: object.spec })
    : fieldChanges(before, content(object));
  const sentences = fields.length === 0 ? [] : (kind.describe?.(item.liveAs, before, object.spec, world, now) ?? []);
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    ...(kind.namespaced ? { namespace } : {}),
    name,
    action: did === 'created' ? 'created' : did === 'nothing' ? 'unchanged' : 'configured',
    fields: kind.confidential === true ? fields.map(({ path }) => ({ path })) : fields,
    sentences: [...sentences, ...selected],
    warnings: [...warnings],
    problems: problems.map(({ path, detail }) => ({ path: fieldPath(path), message: detail })),
  };
}

/** What an object declares, without what the server keeps in it. */
function content({
  status: _status,
  metadata,
  apiVersion: _apiVersion,
  kind: _kind,
  ...fields
}: ResourceObject): object {
  const { labels, annotations } = metadata;
  return {
    ...fields,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function operationOf({ kind, namespace, name, object, position }: Item): Operation {
  return { verb: 'apply', kind: kind.id, namespace, name, object, uid: crypto.randomUUID(), position };
}

function candidateOf({ kind, liveAs }: Item, entry: Entry): Candidate {
  return { kind: kind.id, name: liveAs, wanted: wantedLive(entry) };
}

interface Named {
  readonly items: readonly Item[];
  readonly problems: readonly Problem[];
}

/** What objects there are, by their kinds and names alone. */
function itemsIn(given: ResourceObject, kinds: KindRegistry): Named {
  const { objects, defaultNamespace } = ChangeSet.spec(given);
  const problems: Problem[] = [];
  const seen = new Map<string, number>();
  const items: Item[] = [];
  for (const [position, value] of objects.entries()) {
    const object = value as unknown as ResourceObject;
    const at = ['objects', position];
    const { apiVersion, kind: kindName, metadata } = object;
    const kind = kinds.byApiVersion(String(apiVersion), String(kindName));
    const name = metadata?.name;
    if (kind === undefined || kind.id === ChangeSet.id || !kind.verbs.includes('create')) {
      problems.push({
        path: at,
        reason: 'FieldValueNotSupported',
        detail: `no kind "${kindName}" in version "${apiVersion}" can be declared here`,
      });
    } else if (typeof name !== 'string' || name === '') {
      problems.push({ path: [...at, 'metadata', 'name'], reason: 'FieldValueRequired', detail: 'Required value' });
    } else {
      const namespace = kind.namespaced ? String(metadata.namespace ?? defaultNamespace) : '';
      const key = `${kind.id} ${namespace}/${name}`;
      const first = seen.get(key);
      if (first !== undefined) {
        problems.push({
          path: at,
          reason: 'FieldValueDuplicate',
          detail: `${kind.kind} "${name}" is declared twice: also as objects[${first}]`,
        });
      }
      seen.set(key, position);
      const placed = kind.namespaced ? { ...object, metadata: { ...metadata, namespace } } : object;
      items.push({ position, kind, namespace, name, liveAs: liveName(kind, namespace, name), object: placed });
    }
  }
  return { items, problems };
}

/** One item in each step. */
function addProblems({ position, kind, object }: Item, problems: Problem[]): void {
  if (problems.length >= LIMITS.problemsMax) return;
  try {
    refuseTooHeavy(object, objectLimits(kind));
  } catch (error) {
    throw error instanceof Refusal ? atPosition(error, position) : error;
  }
  const at = ['objects', position];
  const found = shapeProblems(kind, object).map((problem) => ({ ...problem, path: [...at, ...problem.path] }));
  problems.push(...(kind.confidential === true ? found.map(problemWithoutValues) : found));
}

/** An order in which each finds what its write needs: namespaces first, then as the kinds are declared. */
function inOrder(items: readonly Item[], kinds: KindRegistry): readonly Item[] {
  const ranks = new Map(kinds.all.map((kind, index) => [kind, kind === Namespace ? -1 : index]));
  const rankOf = ({ kind }: Item) => ranks.get(kind) ?? 0;
  return items.toSorted((a, b) => rankOf(a) - rankOf(b));
}
