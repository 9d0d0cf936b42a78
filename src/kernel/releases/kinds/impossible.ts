import { isDeepStrictEqual } from 'node:util';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { CheckContext } from '#kernel/kinds/kind.ts';
import { durationProblems } from '#kernel/kinds/schema/duration.ts';
import { actingOf } from './guardrail-spec.ts';
import { splitIn } from './splits.ts';
import type { Targets } from './targets.ts';
import type { PolicySpec, Selector } from './policy-spec.ts';

/** Kinds of a selector that are never released. */
export function selectorProblems({ kinds: asked = [] }: Selector, kinds: CheckContext['kinds'] = []): Problem[] {
  if (kinds.length === 0) return [];
  const released = kinds.filter((kind) => kind.released);
  return asked.flatMap((name, index): Problem[] => {
    const named = kinds.filter(({ id, kind }) => id === name || kind === name);
    if (named.some((kind) => kind.released)) return [];
    const path = ['spec', 'selector', 'kinds', index];
    if (named.length > 0) {
      const detail = `${name} is written at once and never released, so no policy can hold it.`;
      return [{ path, reason: 'FieldValueNotSupported', detail }];
    }
    const near = nearSpellings(
      name,
      released.map(({ kind }) => kind),
    );
    return [{ path, reason: 'FieldValueNotSupported', detail: `There is no kind "${name}"${didYouMean(near)}.` }];
  });
}

/** Settings that would wait for ever, or do nothing, whatever is declared later. */
export function impossibleProblems(policy: PolicySpec, targets: Targets): Problem[] {
  return [...approvalProblems(policy), ...comparisonProblems(policy, targets), ...limitProblems(policy)];
}

function approvalProblems({ approvals, pinFor }: PolicySpec): Problem[] {
  const problems: Problem[] =
    pinFor === undefined ? [] : [...durationProblems(['spec', 'pinFor'], pinFor, 'PT1M', 'P3650D')];
  if (approvals === undefined) return problems;
  const { required, users, groups, expireAfter } = approvals;
  problems.push(...durationProblems(['spec', 'approvals', 'expireAfter'], expireAfter, 'PT1M', 'P365D'));
  const people = new Set(users).size;
  if (users !== undefined && groups === undefined && people < required) {
    const detail = `${required} approvals are required, and only ${people} may approve: name more users, or a group.`;
    problems.push({ path: ['spec', 'approvals', 'users'], reason: 'FieldValueInvalid', detail });
  }
  return problems;
}

/** A comparison that the first stage waits for, without units on one of its sides. */
function comparisonProblems(policy: PolicySpec, targets: Targets): Problem[] {
  const { stages, guardrails } = policy;
  return guardrails.flatMap(({ noWorse, promotesFrom, name, shadow }, index): Problem[] => {
    const at = promotesFrom === undefined ? 0 : stages.findIndex((one) => one.name === promotesFrom);
    const stage = stages[at];
    if (shadow === true || noWorse === undefined || stage === undefined) return [];
    const split = splitIn(policy, at, targets);
    if (split !== undefined && split.share < 1) return [];
    const detail =
      split === undefined
        ? `"${name}" compares candidate and control, and stage "${stage.name}" splits no units: set promotesFrom to a stage that does, or use a threshold.`
        : `"${name}" compares candidate and control, and stage "${stage.name}" leaves no control: set promotesFrom to an earlier, smaller stage, or use a threshold.`;
    const field = promotesFrom === undefined ? 'noWorse' : 'promotesFrom';
    return [{ path: ['spec', 'guardrails', index, field], reason: 'FieldValueInvalid', detail }];
  });
}

/** A lower and an upper limit on the same number that no number meets. */
function limitProblems({ guardrails }: PolicySpec): Problem[] {
  return guardrails.flatMap((one, index): Problem[] => {
    const below = one.threshold?.below;
    if (below === undefined || one.shadow === true) return [];
    const other = actingOf(guardrails).find(
      (two) =>
        two.threshold?.above !== undefined &&
        two.threshold.above <= below &&
        isDeepStrictEqual(sourceOf(two), sourceOf(one)),
    );
    if (other === undefined) return [];
    const path: Path = ['spec', 'guardrails', index, 'threshold', 'below'];
    const detail = `"${other.name}" fails above ${other.threshold?.above}, and this one below ${below}: every number fails.`;
    return [{ path, reason: 'FieldValueInvalid', detail }];
  });
}

function sourceOf({ metric, decisions, requests, slowMs, prometheus }: PolicySpec['guardrails'][number]): unknown {
  return { metric, decisions, requests, slowMs, prometheus };
}
