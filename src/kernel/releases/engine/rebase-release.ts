import { isDeepStrictEqual } from 'node:util';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { policiesOf } from '../rules/choose-policy.ts';
import { carriedOf, originIn, specOf, type World } from './form.ts';
import { sameSide } from './same-side.ts';

/** What becomes of a release that has not begun. */
export type RebasedRelease =
  | { readonly is: 'same' }
  | { readonly is: 'changed'; readonly spec: ReleaseSpec }
  /** Everything that it brings is live already. */
  | { readonly is: 'done' };

/**
 * What has not begun goes by what is live and by the policies of now: a release that is ahead may have ended, and a policy may
 * have been edited. What was approved is then another plan. Pure.
 *
 * @param isFirst whether no release goes before it: behind one, what is live now is not yet what will be live then
 */
export function rebaseRelease(spec: ReleaseSpec, isFirst: boolean, world: World): RebasedRelease {
  const objects = spec.objects.map((one) => {
    const { from: _before, ...kept } = one;
    const { from } = carriedOf(world.look(one));
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
