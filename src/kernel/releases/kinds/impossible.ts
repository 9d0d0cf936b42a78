import { isDeepStrictEqual } from 'node:util';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import type { CheckContext } from '#kernel/resources/kind.ts';
import { durationProblems } from '#kernel/resources/schema/duration.ts';
import { actingOf } from './guardrail-spec.ts';
import type { PolicySpec, Selector, Stage } from './policy-spec.ts';

/** The kinds of a selector that no release can ever be about. */
export function selectorProblems({ kinds: asked = [] }: Selector, kinds: CheckContext['kinds'] = []): Problem[] {
  if (kinds.length === 0) return [];
  const released = kinds.filter((kind) => kind.released);
  return asked.flatMap((name, index): Problem[] => {
    const named = kinds.filter(({ id, kind }) => id === name || kind === name);
    if (named.some((kind) => kind.released)) return [];
    const path = ['spec', 'selector', 'kinds', index];
    if (named.length > 0) {
      const detail = `${name} is written at once and never released, so that nothing can hold it.`;
      return [{ path, reason: 'FieldValueNotSupported', detail }];
    }
    const near = nearSpellings(
      name,
      released.map(({ kind }) => kind),
    );
    return [{ path, reason: 'FieldValueNotSupported', detail: `There is no kind "${name}"${didYouMean(near)}.` }];
  });
}

/** What would wait for ever, or do nothing, whatever is declared later. */
export function impossibleProblems(policy: PolicySpec): Problem[] {
  return [
    ...approvalProblems(policy),
    ...reachProblems(policy),
    ...comparisonProblems(policy),
    ...limitProblems(policy),
  ];
}

function approvalProblems({ approvals, pinFor }: PolicySpec): Problem[] {
  const problems: Problem[] =
    pinFor === undefined ? [] : [...durationProblems(['spec', 'pinFor'], pinFor, 'PT1M', 'P3650D')];
  if (approvals === undefined) return problems;
  const { required, users, groups, expireAfter } = approvals;
  problems.push(...durationProblems(['spec', 'approvals', 'expireAfter'], expireAfter, 'PT1M', 'P365D'));
  const people = new Set(users).size;
  if (users !== undefined && groups === undefined && people < required) {
    const detail = `${required} have to agree, and only ${people} may: name more users, or a group.`;
    problems.push({ path: ['spec', 'approvals', 'users'], reason: 'FieldValueInvalid', detail });
  }
  return problems;
}

/** A stage that reaches nobody whom an earlier one has not reached. */
function reachProblems({ stages }: PolicySpec): Problem[] {
  return stages.flatMap((stage, index): Problem[] => {
    const wider = coveringStages(stages.slice(0, index), stage);
    if (wider.length === 0) return [];
    const names = wider.map(({ name, percent }) => `"${name}" (${percent} %)`).join(', ');
    const detail = `Stage "${stage.name}" reaches nobody new: ${names} did before. A later stage reaches more.`;
    return [{ path: ['spec', 'stages', index, 'percent'], reason: 'FieldValueInvalid', detail }];
  });
}

/** Earlier stages that together reach all that a stage does; none when it reaches somebody new. */
function coveringStages(earlier: readonly Stage[], { audience, markets, percent }: Stage): readonly Stage[] {
  const wide = earlier.filter(
    (one) => one.percent >= percent && (one.audience === undefined || one.audience === audience),
  );
  const everywhere = wide.find((one) => one.markets === undefined);
  if (everywhere !== undefined) return [everywhere];
  const places = (markets ?? [undefined]).map((market) =>
    wide.find((one) => market !== undefined && one.markets?.includes(market) === true),
  );
  const found = places.filter((one) => one !== undefined);
  return found.length < places.length ? [] : [...new Set(found)];
}

/** A comparison that the first stage waits for in which nobody is left to be compared with. */
function comparisonProblems({ stages, guardrails }: PolicySpec): Problem[] {
  return guardrails.flatMap(({ noWorse, promotesFrom, name, shadow }, index): Problem[] => {
    const stage = promotesFrom === undefined ? stages[0] : stages.find((one) => one.name === promotesFrom);
    if (shadow === true || noWorse === undefined || stage === undefined || stage.percent < 100) return [];
    const detail = `"${name}" compares with those who do not get the change, and stage "${stage.name}" leaves nobody: let it wait for an earlier, smaller stage, or use a threshold.`;
    const at = promotesFrom === undefined ? 'noWorse' : 'promotesFrom';
    return [{ path: ['spec', 'guardrails', index, at], reason: 'FieldValueInvalid', detail }];
  });
}

/** Two limits on the same number between which there is none. */
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

function sourceOf({ metric, decisions, prometheus }: PolicySpec['guardrails'][number]): unknown {
  return { metric, decisions, prometheus };
}
