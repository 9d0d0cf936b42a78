import type { Kind, LiveObject } from './kind.ts';

/** The kinds that this program serves now, by each of their names. */
export interface KindRegistry {
  /** A new list after each change: a kept one does not change. */
  readonly all: readonly Kind[];
  /** Objects of the program itself: always live, and never declared. References to them resolve. */
  readonly own: readonly LiveObject[];
  /** By `Kind.id`; throws for a kind that is not registered, which is a bug. */
  readonly byId: (id: string) => Kind;
  /** Whether a kind of this `Kind.id` is registered: other versions of the program may have written objects of more kinds. */
  readonly isKnown: (id: string) => boolean;
  readonly byPlural: (group: string, version: string, plural: string) => Kind | undefined;
  readonly byApiVersion: (apiVersion: string, kind: string) => Kind | undefined;
  readonly has: (kind: Kind) => boolean;
  readonly add: (kind: Kind) => void;
  readonly remove: (kind: Kind) => void;
  /** Puts another definition of a kind in the place of the one before. */
  readonly replace: (kind: Kind) => void;
  /** Calls back right after a kind was added, removed or replaced. Returns the function that ends it. */
  readonly subscribe: (listener: () => void) => () => void;
}

export function kindRegistry(first: readonly Kind[], own: readonly LiveObject[] = []): KindRegistry {
  const ids = new Map<string, Kind>();
  const plurals = new Map<string, Kind>();
  const types = new Map<string, Kind>();
  const listeners = new Set<() => void>();
  let all: readonly Kind[] = [];
  for (const kind of first) put(kind);
  all = [...first];
  return {
    get all() {
      return all;
    },
    own,
    byId: (id) => {
      const kind = ids.get(id);
      if (kind === undefined) throw new Error(`kind ${id} is not registered`);
      return kind;
    },
    isKnown: (id) => ids.has(id),
    byPlural: (group, version, plural) => plurals.get(`${group}/${version}/${plural}`),
    byApiVersion: (apiVersion, kind) => types.get(`${apiVersion}/${kind}`),
    has: (kind) => plurals.get(pluralKey(kind)) === kind || ids.get(kind.id) === kind,
    add: (kind) => {
      put(kind);
      all = [...all, kind];
      notify();
    },
    remove: (kind) => {
      if (ids.get(kind.id) !== kind) return;
      take(kind);
      all = all.filter((other) => other !== kind);
      notify();
    },
    replace: (kind) => {
      const before = ids.get(kind.id);
      if (before === undefined) throw new Error(`kind ${kind.id} is not registered`);
      take(before);
      put(kind);
      all = all.map((other) => (other === before ? kind : other));
      notify();
    },
    subscribe: (listener) => {
      const call = (): void => listener();
      listeners.add(call);
      return () => listeners.delete(call);
    },
  };

  function put(kind: Kind): void {
    if (ids.has(kind.id)) throw new Error(`kind ${kind.id} is declared twice`);
    const other = ids.values().find((one) => shareHeads(one, kind));
    if (other !== undefined) throw new Error(`Heads of ${kind.id} and of ${other.id} could have one name`);
    ids.set(kind.id, kind);
    for (const version of servedVersions(kind)) {
      plurals.set(pluralKey(version), version);
      types.set(typeKey(version), version);
    }
  }

  function take(kind: Kind): void {
    ids.delete(kind.id);
    for (const version of servedVersions(kind)) {
      plurals.delete(pluralKey(version));
      types.delete(typeKey(version));
    }
  }

  function notify(): void {
    for (const listener of listeners) listener();
  }
}

/** The kind of the lists of a kind. */
export function listKindOf({ kind, listKind = `${kind}List` }: Kind): string {
  return listKind;
}

/** A kind in each version that clients may use. */
export function servedVersions<Part extends Pick<Kind, 'definition' | 'twins'>>(kind: Part): readonly (Part | Kind)[] {
  return kind.definition?.versions ?? kind.twins?.kinds ?? [kind];
}

/** Whether objects of a kind may be asked for in another form than that in which they are stored. */
export function hasForms({ definition, twins }: Kind): boolean {
  return definition !== undefined || twins !== undefined;
}

/** Whether Heads of two kinds could have the same name. */
function shareHeads(a: Kind, b: Kind): boolean {
  if (!a.released || !b.released) return false;
  const [first, second] = [headsOf(a), headsOf(b)];
  return first.startsWith(second) || second.startsWith(first);
}

/** The prefix of names of Heads of a kind. */
function headsOf({ plural, group }: Kind): string {
  return `${plural}.${group}.`;
}

function pluralKey({ group, version, plural }: Kind): string {
  return `${group}/${version}/${plural}`;
}

function typeKey({ apiVersion, kind }: Kind): string {
  return `${apiVersion}/${kind}`;
}

/** Derives a value from the kinds, and again on the first call after a change of them. */
export function fromKinds<Value>(kinds: KindRegistry, make: (all: readonly Kind[]) => Value): () => Value {
  let made: { readonly of: readonly Kind[]; readonly value: Value } | undefined;
  return () => {
    const { all } = kinds;
    if (made?.of !== all) made = { of: all, value: make(all) };
    return made.value;
  };
}
