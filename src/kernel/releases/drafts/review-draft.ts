import { setImmediate as nextTurn } from 'node:timers/promises';
import { Refusal, fieldPath, type Problem } from '#kernel/base/failures.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import type { Author, Entry, Outcome } from '#kernel/store/contract.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import type { Advisor, DraftEntries, Objection } from '#kernel/store/rules/advised-store.ts';
import type { Examiner } from '#kernel/store/rules/examined-store.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { describeForecast, readerOf, requireMayWrite, type ChangeParts } from '../api/apply-change-set.ts';
import { readBefore, type DeclaredItem } from '../api/change-results.ts';
import { addProblems, itemsIn, operationOf, inOrder, type ChangeSetItem } from '../api/change-set-items.ts';
import { Draft } from '../kinds/draft.ts';
import type { DraftProblem, DraftValidationStatus } from '../kinds/draft-answer.ts';
import { baseOf, type BaseVersions, type DraftBase } from './draft-base.ts';

export interface ReviewParts extends ChangeParts {
  readonly advisors: readonly Advisor[];
  readonly examiners: readonly Examiner[];
}

/** A draft held against what is declared now. */
export interface DraftReview extends Omit<DraftValidationStatus, 'valid'> {
  /** Writes exactly what was reviewed: each is refused where its object is no longer the one that was seen. */
  readonly operations: readonly Operation[];
  /** Set where something that the review needs gives no answer: the draft may be fine. */
  readonly unavailable?: Refusal;
}

/** An object that could be written. */
interface WritableObject {
  readonly item: ChangeSetItem;
  readonly outcome: Outcome;
}

/**
 * Finds everything that keeps a draft from being published by this author: rights, versions, rules of each object, and what
 * depends on others. Writes nothing.
 */
export async function reviewDraft(parts: ReviewParts, draft: ResourceObject, author: Author): Promise<DraftReview> {
  for (let tries = 1; ; tries += 1) {
    const { bases, ...review } = await reviewOnce(parts, draft, author);
    // Objects that changed meanwhile may be refused for reasons that no state of them has.
    if (tries >= TRIES_MAX || areUnchanged(bases, parts.store)) return review;
  }
}

type Bases = ReadonlyMap<ChangeSetItem, DraftBase>;

function areUnchanged(bases: Bases, store: Pick<ReviewParts['store'], 'get'>): boolean {
  return Array.from(bases).every(
    ([{ kind, namespace, name }, { stored }]) => store.get(kind, namespace, name)?.version === stored,
  );
}

async function reviewOnce(
  parts: ReviewParts,
  draft: ResourceObject,
  author: Author,
): Promise<DraftReview & { readonly bases: Bases }> {
  const { store, kinds } = parts;
  const found = new Problems();
  const { objects } = Draft.spec(draft);
  const spec = { objects, defaultNamespace: draft.metadata.namespace ?? 'default' };
  const named = itemsIn({ spec }, kinds);
  for (const problem of named.problems) found.addAt(problem, objects);
  const items = inOrder(named.items, kinds);
  const permitted: ChangeSetItem[] = [];
  await inTurns(
    eachOf(items, (item) => {
      const before = found.count;
      found.guard(item, () => requireMayWrite(parts, item, author));
      if (found.count === before) permitted.push(item);
    }),
  );
  const readable: ChangeSetItem[] = [];
  await inTurns(
    eachOf(permitted, (item) => {
      const problems: Problem[] = [];
      found.guard(item, () => addProblems(item, problems));
      for (const problem of problems) found.add(item, problem);
      if (isWellTyped(item)) readable.push(item);
    }),
  );
  const bases = await basesOf(permitted, { store, mayRead: readerOf(parts, author) });
  for (const [item, { outdated }] of bases) if (outdated !== undefined) found.addOutdated(item, outdated);
  const tried = readable.filter((item) => !found.isAboutShape(item));
  const operations = tried.map((item) => pinnedOperation(item, bases.get(item)));
  const decided = await store.forecast(operations, author);
  const accepted: WritableObject[] = [];
  for (const [index, item] of tried.entries()) {
    const result = decided[index];
    if (result instanceof Refusal) found.addRefusal(item, result);
    else if (result !== undefined) accepted.push({ item, outcome: result });
  }
  for (const one of accepted) {
    const { item, outcome } = one;
    const base = bases.get(item);
    if (outcome.did === 'changed' && base?.isUnnamed === true) found.addOutdated(item, base.unnamedText);
  }
  const isWhole = readable.length === permitted.length;
  if (isWhole) await addObjections(parts, { accepted, readable, found, author });
  if (found.count === 0) await addRefusalOfWhole(operations, bases, { store, found, author });
  const declared: DeclaredItem[] = [];
  await inTurns(
    eachOf(accepted, ({ item, outcome }) => declared.push({ ...readBefore(item, store, parts.live), outcome })),
  );
  const { results, policy } = await describeForecast(parts, declared);
  const inPlace = accepted.map(({ item }) => item).toSorted((one, other) => one.position - other.position);
  for (const [index, item] of inPlace.entries()) {
    for (const { path, message } of results[index]?.problems ?? []) found.addText(item, { field: path, message });
  }
  return {
    problems: found.list(),
    ...(found.unavailable === undefined ? {} : { unavailable: found.unavailable }),
    ...(isWhole ? {} : { pending: PENDING }),
    ...(policy === undefined ? {} : { policy }),
    results: [...results],
    operations,
    bases,
  };
}

/** Reviews of one draft, where objects of it change meanwhile. */
const TRIES_MAX = 10;
/** Objects that changed since, of which is found out who changed them: each takes a query. */
const LOOK_UPS_MAX = 100;
/** Rules for some objects read the object: 20 µs each. */
const BASES_IN_TURN = 50;
/** Problems of one answer. */
const PROBLEMS_MAX = 1_000;

const PENDING = 'Whether the objects fit each other is checked once each of them has fields of the right types.';

async function basesOf(items: readonly ChangeSetItem[], versions: BaseVersions): Promise<Bases> {
  const bases = new Map<ChangeSetItem, DraftBase>();
  let lookUps = 0;
  for (const [index, item] of items.entries()) {
    if (index % BASES_IN_TURN === 0) await nextTurn();
    const base = await baseOf(item, versions, lookUps < LOOK_UPS_MAX);
    bases.set(item, base);
    if (base.outdated !== undefined) lookUps += 1;
  }
  return bases;
}

/** Whether the fields that the kind has are of the right types: then others can be checked with it. */
function isWellTyped({ kind, object }: ChangeSetItem): boolean {
  return structureOf(kind).validate(schemaForm({ kind, object })).length === 0;
}

function schemaForm({ kind, object }: Pick<ChangeSetItem, 'kind' | 'object'>): ResourceObject {
  const { prune, applyDefaults } = structureOf(kind);
  return applyDefaults(prune(object).value) as ResourceObject;
}

/** Refused where the object is another one than was seen, or where there is one although there was none. */
function pinnedOperation(item: ChangeSetItem, base: DraftBase | undefined): Operation {
  const { resourceVersion: _named, ...metadata } = item.object.metadata;
  if (base?.present === undefined) {
    return { ...operationOf({ ...item, object: { ...item.object, metadata } }), isNew: true } as Operation;
  }
  const pinned = { ...metadata, resourceVersion: String(base.present) };
  return operationOf({ ...item, object: { ...item.object, metadata: pinned } });
}

/** Adds why the write as a whole would be refused, to its first object. */
async function addRefusalOfWhole(
  operations: readonly Operation[],
  bases: Bases,
  { store, found, author }: Pick<ReviewParts, 'store'> & { readonly found: Problems; readonly author: Author },
): Promise<void> {
  const [first] = bases.keys();
  if (first === undefined) return;
  try {
    await store.write(operations, author, { dryRun: true });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (isOvertaken(error)) await store.fresh();
    // Where the writer was ahead of this process it is no fault of the draft: the next review sees the same.
    if (areUnchanged(bases, store)) found.addRefusal(first, error);
  }
}

/** Whether a write was refused for what another one did meanwhile. */
export function isOvertaken(error: unknown): boolean {
  return (
    error instanceof Refusal &&
    (error.code === 'resources/conflict' ||
      error.code === 'resources/already-exists' ||
      error.code === 'resources/not-found' ||
      error.code === 'resources/version-on-create')
  );
}

/** Adds the problems between objects, as examiners and advisors find them. */
async function addObjections(
  { advisors, examiners, store }: ReviewParts,
  {
    accepted,
    readable,
    found,
    author,
  }: {
    readonly accepted: readonly WritableObject[];
    readonly readable: readonly ChangeSetItem[];
    readonly found: Problems;
    readonly author: Author;
  },
): Promise<void> {
  const changed = accepted.filter(({ outcome }) => outcome.did !== 'nothing');
  for (const { kind, examine } of examiners) {
    const examined = changed.filter(({ item }) => item.kind.id === kind.id);
    if (examined.length === 0) continue;
    const problems = await examine(
      examined.map(({ outcome }) => outcome.entry.object()),
      author,
    );
    for (const [index, { item }] of examined.entries()) {
      for (const problem of problems[index] ?? []) found.add(item, problem);
    }
  }
  // One that is refused by itself is there all the same, so that the others are not refused for it.
  const entries = new Map(accepted.map(({ item, outcome }) => [item, outcome.entry]));
  const written = readable.map(
    (item): Entry => entries.get(item) ?? stampEntry(item.kind, schemaForm(item), store.version()),
  );
  const draft = { written, changed: changed.map(({ outcome }) => outcome.entry) };
  const byKind = Map.groupBy(advisors, ({ kind }) => kind.id);
  await inTurns(
    eachOf(changed, ({ item, outcome }) => {
      for (const advisor of byKind.get(item.kind.id) ?? []) {
        const { entry } = outcome;
        for (const objection of objectionsOf(advisor, entry.object(), draft)) found.addText(item, objection);
      }
    }),
  );
}

function objectionsOf({ advise, refuse }: Advisor, object: ResourceObject, draft: DraftEntries): readonly Objection[] {
  return refuse === undefined ? advise(object, draft.written).map((message) => ({ message })) : refuse(object, draft);
}

/** The problems of a draft, in the order of its objects. */
class Problems {
  readonly #found: DraftProblem[] = [];
  readonly #aboutShape = new Set<ChangeSetItem>();
  unavailable: Refusal | undefined;

  get count(): number {
    return this.#found.length;
  }

  /** Of the object itself: the rules of its kind are not asked, which would only repeat it. */
  isAboutShape(item: ChangeSetItem): boolean {
    return this.#aboutShape.has(item);
  }

  guard(item: ChangeSetItem, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#aboutShape.add(item);
      this.addRefusal(item, error);
    }
  }

  /** Of the object itself; its path may begin with the place of the object. */
  add(item: ChangeSetItem, { path, detail }: Problem): void {
    this.#aboutShape.add(item);
    this.addText(item, { field: fieldPath(pathInObject(path)), message: detail });
  }

  addRefusal(item: ChangeSetItem, refusal: Refusal): void {
    const { problems, message, remedy } = refusal;
    if (refusal.reason === 'ServiceUnavailable') this.unavailable ??= refusal;
    const all = problems.length > 0 ? problems : [{ path: [], detail: message }];
    for (const { path, detail } of all) {
      const field = fieldPath(pathInObject(path));
      this.addText(item, { field, message: detail, ...(remedy === undefined ? {} : { remedy }) });
    }
  }

  addOutdated(item: ChangeSetItem, { message, remedy }: Required<Objection>): void {
    this.addText(item, { field: 'metadata.resourceVersion', message, remedy, outdated: true });
  }

  addText(item: ChangeSetItem, text: Objection & { readonly field?: string; readonly outdated?: true }): void {
    const { position, kind, namespace, name } = item;
    if (this.#found.length >= PROBLEMS_MAX) return;
    const { field = '', message, remedy, outdated } = text;
    this.#found.push({
      position,
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      ...(kind.namespaced ? { namespace } : {}),
      name,
      field,
      message,
      ...(remedy === undefined ? {} : { remedy }),
      ...(outdated === undefined ? {} : { outdated }),
    });
  }

  /** Of an object that is none of a known kind. */
  addAt({ path, detail }: Problem, objects: readonly Partial<ResourceObject>[]): void {
    const position = Number(path[1]);
    const { apiVersion, kind, metadata } = objects[position] ?? {};
    const named = { apiVersion: String(apiVersion), kind: String(kind), name: String(metadata?.name) };
    this.#found.push({ position, ...named, field: fieldPath(pathInObject(path)), message: detail });
  }

  list(): DraftProblem[] {
    return this.#found.toSorted((a, b) => a.position - b.position);
  }
}

function pathInObject(path: Problem['path']): Problem['path'] {
  return path[0] === 'objects' ? path.slice(2) : path;
}
