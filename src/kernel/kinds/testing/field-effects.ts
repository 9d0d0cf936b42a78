import assert from 'node:assert/strict';
import type { Kind } from '../kind.ts';
import { withAlternatives } from '../schema/lift.ts';
import { readSchema, type SchemaNode } from '../schema/schema-node.ts';
import { structureOf } from '../structure.ts';

/** The inputs of a test that each field of a kind's spec has an effect. */
export interface FieldEffects {
  readonly kind: Kind;
  /** Specs that together have each field, where its effect can be observed. */
  readonly bases: readonly object[];
  /** Fields for people, which change no answer. */
  readonly informational: readonly string[];
  /** Other values of a field, where values derived from the schema have no observable effect. */
  readonly values?: Readonly<Record<string, readonly unknown[]>>;
  /** Fields whose content another test covers: one change of the whole is enough. */
  readonly shared?: readonly string[];
  /** Observes a spec from outside: answers, decisions, statuses, refusals. Descriptions of the change do not count. */
  readonly observe: (spec: unknown) => unknown;
}

/** Finds the fields of the spec of a kind without an observable effect. */
export async function fieldsWithoutEffect(effects: FieldEffects): Promise<readonly string[]> {
  const { kind, informational, shared = [] } = effects;
  const known = leavesOf(kind, shared);
  const stale = [...informational, ...shared, ...Object.keys(effects.values ?? {})].filter(
    (name) => !known.some((leaf) => leaf.name === name),
  );
  assert.deepEqual(stale, [], `${kind.kind} has no such fields`);
  const without: string[] = [];
  for (const leaf of known.filter(({ name }) => !informational.includes(name))) {
    if (!(await shows(effects, leaf))) without.push(leaf.name);
  }
  return without;
}

interface Leaf {
  /** `timeline[].from`, `channels[].exponents{}`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly node: SchemaNode;
}

/** The fields of the spec of a kind that have no fields of their own. */
function leavesOf(kind: Kind, shared: readonly string[]): readonly Leaf[] {
  const spec = withAlternatives(readSchema(kind.schema)).properties.get('spec');
  return spec === undefined ? [] : below(spec, []);

  function below(node: SchemaNode, path: readonly string[]): readonly Leaf[] {
    const name = path.join('.').replaceAll('.[]', '[]').replaceAll('.{}', '{}');
    const children = [...node.properties].map(([key, child]) => [key, child] as const);
    const nested = [
      ...children,
      ...(node.items === undefined ? [] : [['[]', node.items] as const]),
      ...(node.additional === undefined ? [] : [['{}', node.additional] as const]),
    ];
    if (nested.length === 0 || shared.includes(name)) return [{ name, path, node }];
    return nested.flatMap(([key, child]) => below(child, [...path, key]));
  }
}

async function shows(
  { kind, bases, values = {}, observe }: FieldEffects,
  { name, path, node }: Leaf,
): Promise<boolean> {
  for (const declared of bases) {
    const base = complete(kind, declared);
    assert.ok(base !== undefined, `${kind.kind}: a base is not valid: ${JSON.stringify(declared)}`);
    const before = await observeText(observe, base);
    for (const place of placesIn(base, path)) {
      for (const value of values[name] ?? otherValues(node, valueAt(base, place))) {
        const changed = complete(kind, withValue(base, place, value));
        if (changed !== undefined && (await observeText(observe, changed)) !== before) return true;
      }
    }
  }
  return false;
}

/** A spec with its defaults; undefined when its schema refuses it, which does not count as an effect. */
function complete(kind: Kind, spec: object): object | undefined {
  const { applyDefaults, validate } = structureOf(kind);
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name: 'a', namespace: 'default' }, spec };
  const whole = applyDefaults(object) as typeof object;
  return validate(whole).length === 0 ? whole.spec : undefined;
}

/** Gives the observation as text, without the revision, which every change changes. */
async function observeText(observe: FieldEffects['observe'], spec: object): Promise<string> {
  const plain = (key: string, value: unknown): unknown =>
    key === 'revision'
      ? undefined
      : typeof value === 'bigint'
        ? `${value}n`
        : value instanceof Map
          ? [...value]
          : value;
  return JSON.stringify(await observe(structuredClone(spec)), plain);
}

type Place = readonly (string | number)[];

/** The paths of a field in a spec, present or absent. */
function placesIn(spec: object, path: readonly string[]): readonly Place[] {
  let places: Place[] = [[]];
  for (const [index, step] of path.entries()) {
    places = places.flatMap((place): Place[] => {
      const value = valueAt(spec, place);
      if (step === '[]') return Array.isArray(value) ? value.map((_, at) => [...place, at]) : [];
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
      if (step === '{}') return Object.keys(value).map((key) => [...place, key]);
      return step in value || index === path.length - 1 ? [[...place, step]] : [];
    });
  }
  return places;
}

function valueAt(spec: unknown, place: Place): unknown {
  return place.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], spec);
}

/** Sets a field; undefined removes it. */
function withValue(spec: object, place: Place, value: unknown): object {
  const copy = structuredClone(spec);
  const parent = valueAt(copy, place.slice(0, -1)) as Record<string | number, unknown>;
  const key = place.at(-1) ?? '';
  if (value !== undefined) parent[key] = value;
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}

function otherValues(node: SchemaNode, value: unknown): readonly unknown[] {
  const ofSameType = (): readonly unknown[] => {
    if (node.enum !== undefined) return node.enum;
    switch (typeof value) {
      case 'boolean':
        return [!value];
      case 'number':
        return [value + 1, value - 1, value / 2, value * 2];
      case 'string':
        return [`${value}x`, 'other'];
      case 'undefined':
        return node.type === 'boolean' ? [true, false] : node.type === 'string' ? ['other'] : [1, 10];
      default:
        return [];
    }
  };
  return [...ofSameType(), ...(value === undefined ? [] : [undefined])].filter((other) => other !== value);
}
