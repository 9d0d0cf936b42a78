import { fieldPath, type Path, type Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { parseYaml, type YamlDocument } from './text/yaml.ts';

/** One object of a file of manifests. */
export interface Manifest {
  readonly value: JsonObject;
  /** Line of a field of the object, counted from 1; of the object itself for an empty path. */
  readonly lineOf: (path: Path) => number;
}

/**
 * Reads a file of manifests: YAML documents or JSON, with lists (`kind: List`) replaced by their items. Throws a Refusal
 * for what is no object, and for a key that is given twice; the message names the line.
 */
export function decodeManifests(text: string): Manifest[] {
  return parseYaml(text.replace(/^\uFEFF/, '')).flatMap((document) => flatten(document, document.value, []));
}

function flatten(document: YamlDocument, value: unknown, at: Path): Manifest[] {
  const [twice] = document.duplicates;
  if (twice !== undefined) {
    throw manifestRefusal(document, twice, `the key ${fieldPath(twice)} is given twice; only the last would count`);
  }
  if (!isObject(value))
    throw manifestRefusal(document, at, 'a manifest must be an object with apiVersion, kind and metadata');
  const { kind, items } = value;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    return items.flatMap((item, index) => flatten(document, item, [...at, 'items', index]));
  }
  return [{ value, lineOf: (path) => document.lineOf([...at, ...path]) }];
}

function manifestRefusal(document: YamlDocument, path: Path, what: string): Refusal {
  return resourceRefusal('malformed-manifest', `line ${document.lineOf(path)}: ${what}`);
}
