import { isDeepStrictEqual } from 'node:util';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { policiesOf } from '../rules/choose-policy.ts';
import { releaseItemOf, originIn, specOf, type World } from './form.ts';
import { sameSide } from './same-side.ts';

/** The effect of present conditions on a waiting release. */
export type RebasedRelease =
  | { readonly is: 'same' }
  | { readonly is: 'changed'; readonly spec: ReleaseSpec }
  /** All of its changes are live already. */
  | { readonly is: 'done' };

/**
 * Updates a waiting release to the live state and policies of now: a release ahead may have ended, and a policy may have been
 * edited. Approvals are then for an outdated plan. Pure.
 *
 * @param isFirst whether no release goes first: behind one, the live state will still change
 */
export function rebaseRelease(spec: ReleaseSpec, isFirst: boolean, world: World): RebasedRelease {
  const objects = spec.objects.map((one) => {
    const { from: _before, ...kept } = one;
    const { from } = releaseItemOf(world.look(one));
    return { ...kept, ...(from === undefined ? {} : { from }) };
  });
  const changing = isFirst ? objects.filter(({ from, to }) => !sameSide(from, to)) : objects;
  if (changing.every(({ from, to }) => sameSide(from, to))) return { is: 'done' };
  const next = specOf(originIn(spec), changing, world, { group: spec.group, earlier: [spec] });
  return isSamePlan(next, spec) ? { is: 'same' } : { is: 'changed', spec: next };
}

function isSamePlan(a: ReleaseSpec, b: ReleaseSpec): boolean {
  return (
    a.planHash === b.planHash &&
    isDeepStrictEqual(a.relies, b.relies) &&
    isDeepStrictEqual(a.authors, b.authors) &&
    a.unattended === b.unattended &&
    isDeepStrictEqual(policiesOf(a), policiesOf(b))
  );
}
