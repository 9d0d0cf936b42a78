import { Scale } from '#kernel/kinds/builtin/scale.ts';
import type { Kind, ResourceObject, ScalePaths } from '#kernel/kinds/kind.ts';
import { getOwn, isObject, setOwn, type JsonObject } from '#kernel/kinds/schema/own.ts';

const SHOWN: ReadonlySet<string> = new Set(['namespace', 'uid', 'resourceVersion', 'creationTimestamp']);

/** An object as its `/scale` subresource shows it. */
export function scaleOf(scale: ScalePaths, object: ResourceObject): ResourceObject {
  const { metadata } = object;
  const { name, ...others } = metadata;
  const selector = scale.selector === undefined ? undefined : valueAt(object, scale.selector);
  return {
    kind: Scale.kind,
    apiVersion: Scale.apiVersion,
    metadata: { name, ...Object.fromEntries(Object.entries(others).filter(([field]) => SHOWN.has(field))) },
    spec: { replicas: countAt(object, scale.wanted) },
    status: {
      replicas: countAt(object, scale.observed),
      ...(typeof selector === 'string' && { selector }),
    },
  };
}

/** The object with the replicas that a Scale wants. */
export function withReplicas({ wanted }: ScalePaths, object: ResourceObject, scale: ResourceObject): ResourceObject {
  const { replicas } = Scale.spec(scale);
  return withValue(object, wanted, replicas) as ResourceObject;
}

/** The paths of a kind that has the subresource; a request without one got no further than its path. */
export function scalePathsOf({ id, scale }: Kind): ScalePaths {
  if (scale === undefined) throw new Error(`kind ${id} has no scale`);
  return scale;
}

function countAt(object: unknown, path: readonly string[]): number {
  const value = valueAt(object, path);
  return Number.isInteger(value) ? Number(value) : 0;
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce((value, name) => (isObject(value) ? getOwn(value, name) : undefined), object);
}

function withValue(object: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const known: JsonObject = isObject(object) ? object : {};
  const copy = { ...known };
  setOwn(copy, name, withValue(getOwn(known, name), rest, value));
  return copy;
}
