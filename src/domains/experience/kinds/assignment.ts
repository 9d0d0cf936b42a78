import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import type { AudienceSpec } from '#kernel/audiences/kinds/audience.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import type { ExperimentSpec } from './experiment-spec.ts';
import type { FlagSpec } from './flag-spec.ts';
import type { Split, Traffic } from './parts.ts';

/** The unit of an experiment: its own, else that of its flag. */
export function unitOf(
  { unit }: Pick<ExperimentSpec, 'unit'>,
  flag: Pick<FlagSpec, 'unit'> | undefined,
): readonly string[] {
  return unit ?? flag?.unit ?? [TARGETING_KEY];
}

/** Bucketing of an iteration: the first uses the named one, which another tool may share; later ones differ. */
export function bucketingOf(named: Bucketing | undefined, iteration: number): Bucketing | undefined {
  return named === undefined || iteration === 1 ? named : { ...named, salt: `${named.salt}/${iteration}` };
}

/** Mutable inputs that decide which units a holdout excludes; the rest of its spec is immutable. */
export interface HoldoutInputs {
  readonly percent: number;
  /** Its audiences, with the audiences that they include. */
  readonly audiences: ReadonlyMap<string, AudienceSpec>;
}

/** An experiment with all other inputs of its assignment. */
export interface AssignmentInputs {
  readonly experiment: ExperimentSpec;
  readonly flag: FlagSpec | undefined;
  /** The holdouts that it names. */
  readonly holdouts: ReadonlyMap<string, HoldoutInputs>;
}

/**
 * Problems of a change from `before`, which is live, to `after`: moving a unit between variants, changing a
 * variant, or changing who a holdout excludes. The share that takes part may change. This is the only place
 * with these rules. Paths are those of the experiment.
 */
export function movedProblems(before: AssignmentInputs, after: AssignmentInputs): readonly Problem[] {
  const [was, is] = [before.experiment, after.experiment];
  if (was.state === 'draft' || is.iteration > was.iteration) return [];
  const order = orderProblems(was, is);
  if (order.length > 0 || was.state !== 'running' || is.state !== 'running') return order;
  return [
    ...same('flag', was.flag, is.flag),
    ...same('unit', unitOf(was, before.flag), unitOf(is, after.flag)),
    ...same('bucketing', was.bucketing, is.bucketing),
    ...splitProblems(was.split, is.split),
    ...trafficProblems(was.traffic, is.traffic),
    ...valueProblems(before, after),
    ...holdoutProblems(before, after),
    ...recordProblems(was, is),
  ];
}

const ANEW = 'raise iteration to restart';

function forbiddenProblems(path: readonly (string | number)[], detail: string): Problem[] {
  return [{ path: ['spec', ...path], reason: 'FieldValueForbidden', detail }];
}

/** draft → running → ended; only a new iteration restarts. */
function orderProblems(was: ExperimentSpec, is: ExperimentSpec): Problem[] {
  if (is.iteration < was.iteration)
    return forbiddenProblems(['iteration'], `iteration ${was.iteration} has started; the number can only grow`);
  if (was.state === 'ended' && is.state !== 'ended') return forbiddenProblems(['state'], `it has ended; ${ANEW}`);
  if (was.state === 'running' && is.state === 'draft')
    return forbiddenProblems(['state'], 'it is running; end it instead');
  return [];
}

function same(field: string, was: unknown, is: unknown, path: readonly (string | number)[] = [field]): Problem[] {
  if (canonicalJson(was) === canonicalJson(is)) return [];
  const detail = `${field} cannot change from ${quoteValue(was)} to ${quoteValue(is)} while the experiment runs: it would move listeners between variants; ${ANEW}`;
  return forbiddenProblems(path, detail);
}

function quoteValue(value: unknown): string {
  const text = value === undefined ? 'none' : (JSON.stringify(value) ?? 'none');
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** Ranges may grow and shrink, but no part of one variant may become part of another. */
function splitProblems(was: Split, is: Split): Problem[] {
  const isByRanges = [...was, ...is].every(({ ranges }) => ranges !== undefined);
  if (!isByRanges) return same('split', was, is);
  const moved = is.find(({ variant, ranges = [] }) =>
    was.some(
      (other) =>
        other.variant !== variant &&
        (other.ranges ?? []).some((a) => ranges.some((b) => a.from < b.until && b.from < a.until)),
    ),
  );
  return moved === undefined ? [] : same('split', was, is);
}

/** Percent and ranges may grow and shrink; their units and bucketing may not change. */
function trafficProblems(was: Traffic | undefined, is: Traffic | undefined): Problem[] {
  if (was === undefined || is === undefined) return [];
  const parts = (traffic: Traffic) => [traffic, ...(traffic.also ?? [])];
  return parts(was).flatMap((part, index): Problem[] => {
    const other = parts(is)[index];
    if (other === undefined) return [];
    const path = index === 0 ? ['traffic'] : ['traffic', 'also', index - 1];
    return [
      ...same('unit', part.unit, other.unit, [...path, 'unit']),
      ...same('bucketing', part.bucketing, other.bucketing, [...path, 'bucketing']),
    ];
  });
}

/** Problems of changed values of compared variants. An unknown flag is skipped. */
function valueProblems(before: AssignmentInputs, after: AssignmentInputs): Problem[] {
  if (before.flag === undefined || after.flag === undefined) return [];
  const valueIn = ({ variants }: FlagSpec, variant: string): unknown =>
    variants.find(({ name }) => name === variant)?.value;
  const compared = before.experiment.split.map(({ variant }) => variant);
  return compared.flatMap((variant): Problem[] => {
    const [was, is] = [before.flag, after.flag].map((flag) => flag && valueIn(flag, variant));
    if (canonicalJson(was) === canonicalJson(is)) return [];
    const detail = `variant "${variant}" cannot change from ${quoteValue(was)} to ${quoteValue(is)} while the experiment compares it: results before and after would be mixed; ${ANEW}`;
    return forbiddenProblems(['flag'], detail);
  });
}

/** Participants stay by their record, and there is none. */
function recordProblems({ sticky: was }: ExperimentSpec, { sticky: is }: ExperimentSpec): Problem[] {
  if (was !== undefined || is?.intake !== 'paused') return [];
  const detail = `no variant is on record yet: pausing now would remove all participants; set sticky with intake open first, and pause after their next evaluation`;
  return forbiddenProblems(['sticky', 'intake'], detail);
}

function holdoutProblems(before: AssignmentInputs, after: AssignmentInputs): Problem[] {
  const names = new Set([...(before.experiment.holdouts ?? []), ...(after.experiment.holdouts ?? [])]);
  return [...names].flatMap((name): Problem[] => {
    const isNamed = [before, after].map(({ experiment }) => experiment.holdouts?.includes(name) === true);
    if (isNamed[0] !== isNamed[1])
      return forbiddenProblems(
        ['holdouts'],
        `holdout "${name}" cannot be added or removed while the experiment runs: it would remove or add units; ${ANEW}`,
      );
    const [was, is] = [before.holdouts.get(name), after.holdouts.get(name)];
    if (was === undefined || is === undefined) return [];
    const change =
      was.percent === is.percent
        ? [...was.audiences.keys()]
            .filter((audience) => !areSameMembers(was.audiences.get(audience), is.audiences.get(audience)))
            .map((audience) => `holdout "${name}" is for audience "${audience}", which cannot change`)[0]
        : `holdout "${name}" cannot change from ${was.percent} % to ${is.percent} %`;
    if (change === undefined) return [];
    return forbiddenProblems(
      ['holdouts'],
      `${change} while the experiment runs: it would remove or add units; ${ANEW}, or make a new holdout`,
    );
  });
}

function areSameMembers(was: AudienceSpec | undefined, is: AudienceSpec | undefined): boolean {
  if (was === is) return true;
  return canonicalJson([was?.anyOf, was?.members]) === canonicalJson([is?.anyOf, is?.members]);
}
