import type { ObjectSelector } from '#kernel/api/codec/requirements.ts';
import type { PolicySpec } from './policy-spec.ts';

/** Fields of a stage that are no part of a target. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['name', 'soak', 'deadline', 'promote', 'maxUnknown', 'isForAll']);

/** `1% → 10% → all`, `1% → all (bakes PT10M)`. */
export function stagesText({ stages, bake }: Pick<PolicySpec, 'stages' | 'bake'>): string {
  const targets = new Set(stages.flatMap((stage) => partsIn(stage).map(([name]) => name)));
  const last = bake === undefined ? 'all' : `all (bakes ${bake})`;
  return [...stages.map((stage) => reachText(stage, targets.size > 1)), last].join(' → ');
}

/** The parts of a stage: `10% audience nordic regions se+no`; with the names of targets, where it has several or is asked. */
export function reachText(stage: object, isNamed = partsIn(stage).length > 1): string {
  return partsIn(stage)
    .map(([name, where]) => `${isNamed ? `${name} ` : ''}${whereText(where)}`)
    .join(', ');
}

function partsIn(stage: object): [target: string, where: object][] {
  return Object.entries(stage).flatMap(([name, where]): [string, object][] =>
    OWN_FIELDS.has(name) || typeof where !== 'object' || where === null ? [] : [[name, where]],
  );
}

/** The unit is shown elsewhere: all stages have the same. */
function whereText(where: object): string {
  const { percent, weight = percent, unit: _unit, select, ...rest } = where as WhereFields;
  const text = [
    ...(weight === undefined ? [] : [`${weight}%`]),
    ...(select === undefined ? [] : [selectorText(select)]),
    ...Object.entries(rest).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join('+') : String(value)}`),
  ].join(' ');
  return text === '' ? 'all' : text;
}

/** Fields that have a form of their own. */
interface WhereFields extends Readonly<Record<string, unknown>> {
  readonly percent?: number;
  readonly weight?: number;
  readonly select?: ObjectSelector;
}

/** `ring=first, region in (eu, us)`. */
function selectorText({ matchLabels = {}, matchExpressions = [] }: ObjectSelector): string {
  return [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) =>
      values.length === 0 ? `${operator} ${key}` : `${key} ${operator} (${values.join(', ')})`,
    ),
  ].join(', ');
}
