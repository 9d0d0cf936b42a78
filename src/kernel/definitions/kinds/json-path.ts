import { getOwn, isObject } from '#kernel/kinds/schema/own.ts';

/** One step of a path; all of them lead from one value to any number of values. */
type Step =
  | { readonly take: 'field'; readonly name: string }
  | { readonly take: 'item'; readonly index: number }
  | { readonly take: 'all' }
  | { readonly take: 'where'; readonly path: readonly Step[]; readonly operator: '==' | '!='; readonly value: unknown };

/** A path through a JSON value, as columns and subresources of a definition write it. */
export type JsonPath = readonly Step[];

/** Most steps of a path. */
const STEPS_MAX = 50;
/** Most values that a step leads to. */
const VALUES_MAX = 1_000;

const FIELD = /\.((?:[A-Za-z0-9_\-/]|\\.)+)/y;
const QUOTED = /\[\s*'((?:[^'\\]|\\.)+)'\s*\]/y;
const ITEM = /\[\s*(-?\d{1,9})\s*\]/y;
const ALL = /\[\s*\*\s*\]|\.\*/y;
const WHERE =
  /\[\?\(\s*@((?:\.(?:[A-Za-z0-9_\-/]|\\.)+)+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|(-?\d+(?:\.\d+)?|true|false))\s*\)\]/y;

/** Reads a path: `.spec.size`, `.spec['a.b']`, `.list[0]`, `.list[*].name`, `.list[?(@.type=="Ready")].status`. */
export function parseJsonPath(text: string): JsonPath | { readonly problem: string } {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    const read = (pattern: RegExp): RegExpExecArray | null => {
      pattern.lastIndex = at;
      return pattern.exec(text);
    };
    const all = read(ALL);
    const field = all === null ? (read(FIELD) ?? read(QUOTED)) : null;
    const item = read(ITEM);
    const where = read(WHERE);
    const found = all ?? field ?? item ?? where;
    if (found === null)
      return { problem: `at position ${at + 1}: expected .FIELD, ['FIELD'], [INDEX], [*] or [?(@.FIELD=="VALUE")]` };
    if (all !== null) steps.push({ take: 'all' });
    else if (field !== null) steps.push({ take: 'field', name: plain(field[1]) });
    else if (item !== null) steps.push({ take: 'item', index: Number(item[1]) });
    else if (where !== null) steps.push(condition(where));
    at += found[0].length;
    if (steps.length > STEPS_MAX) return { problem: `it has more than ${STEPS_MAX} steps` };
  }
  return steps.length === 0 ? { problem: 'it is empty' } : steps;
}

function condition([, path = '', operator = '==', double, single, bare = '']: RegExpExecArray): Step {
  const fields = [...path.matchAll(/\.((?:[^.\\]|\\.)+)/g)].map(([, name]): Step => ({
    take: 'field',
    name: plain(name),
  }));
  const value: unknown = double ?? single ?? JSON.parse(bare);
  return { take: 'where', path: fields, operator: operator === '!=' ? '!=' : '==', value };
}

function plain(name = ''): string {
  return name.replaceAll(/\\(.)/g, '$1');
}

/** The fields of a path that has nothing else; undefined for any other one. */
export function fieldsOf(path: JsonPath): readonly string[] | undefined {
  const names = path.flatMap((step) => (step.take === 'field' ? [step.name] : []));
  return names.length === path.length ? names : undefined;
}

/** The first value that a path leads to; undefined where it leads nowhere. */
export function firstAt(path: JsonPath, value: unknown): unknown {
  let values: readonly unknown[] = [value];
  for (const step of path) values = values.flatMap((one) => take(step, one)).slice(0, VALUES_MAX);
  return values[0];
}

function take(step: Step, value: unknown): readonly unknown[] {
  switch (step.take) {
    case 'field': {
      const found = isObject(value) ? getOwn(value, step.name) : undefined;
      return found === undefined ? [] : [found];
    }
    case 'item': {
      const found: unknown = Array.isArray(value) ? value.at(step.index) : undefined;
      return found === undefined ? [] : [found];
    }
    case 'all':
      return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    case 'where': {
      if (!Array.isArray(value)) return [];
      return value.filter((item) => (firstAt(step.path, item) === step.value) === (step.operator === '=='));
    }
    default:
      return step satisfies never;
  }
}
