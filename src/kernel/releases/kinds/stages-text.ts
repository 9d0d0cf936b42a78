import type { PolicySpec, Stage } from './policy-spec.ts';

/** Fields of a stage that are no part of a target. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['name', 'soak', 'deadline', 'promote', 'maxUnknown', 'isForAll']);

/** `1% → 10% → all`, `1% → all (bakes PT10M)`. */
export function stagesText({ stages, bake }: Pick<PolicySpec, 'stages' | 'bake'>): string {
  const targets = new Set(stages.flatMap((stage) => partsIn(stage).map(([name]) => name)));
  const last = bake === undefined ? 'all' : `all (bakes ${bake})`;
  return [...stages.map((stage) => reachText(stage, targets.size > 1)), last].join(' → ');
}

/** The parts of a stage: `10% audience nordic regions se+no`; with the names of the targets where there are several. */
export function reachText(stage: Stage, isNamed: boolean): string {
  return partsIn(stage)
    .map(([name, where]) => `${isNamed ? `${name} ` : ''}${whereText(where)}`)
    .join(', ');
}

function partsIn(stage: Stage): [target: string, where: object][] {
  return Object.entries(stage).flatMap(([name, where]): [string, object][] =>
    OWN_FIELDS.has(name) || typeof where !== 'object' || where === null ? [] : [[name, where]],
  );
}

/** The unit is shown elsewhere: all stages have the same. */
function whereText(where: object): string {
  const { percent, unit: _unit, ...rest } = where as { readonly percent?: unknown; readonly unit?: unknown };
  const text = [
    ...(percent === undefined ? [] : [`${String(percent)}%`]),
    ...Object.entries(rest).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join('+') : String(value)}`),
  ].join(' ');
  return text === '' ? 'all' : text;
}
