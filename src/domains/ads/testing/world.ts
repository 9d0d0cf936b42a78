import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { compileInSteps } from '../decisions/compile.ts';
import type { BreakQuestion } from '../decisions/decide.ts';
import type { AdsTable } from '../decisions/table.ts';
import { adsKinds } from '../module.ts';
import { ALL_PERMITTED } from '../rules/consent/permission.ts';

const NAMESPACE = 'default';

/** The part of a question about a listener who may get everything. */
export const EVERYTHING: Pick<BreakQuestion, 'rules' | 'historyScope' | 'wallMs'> = {
  rules: {
    permission: ALL_PERMITTED,
    ageGroup: 'adult',
    deniedCategories: new Map(),
    onlyCategories: undefined,
    mayBeExplicit: true,
  },
  historyScope: 'listener',
  wallMs: undefined,
};

/** The kinds that an ads table is compiled from. */
const kinds = kindRegistry([...audienceKinds, ...adsKinds]);

export function live(kind: Kind, name: string, spec: unknown): LiveObject {
  return {
    kind: kind.id,
    namespace: NAMESPACE,
    name: liveName(kind, NAMESPACE, name),
    labels: {},
    spec,
    revision: contentHash(spec),
  };
}

export function worldOf(objects: readonly LiveObject[]): LiveObjects {
  return new LiveObjects(kinds, objects);
}

export function tableOf(objects: readonly LiveObject[]): AdsTable {
  const world = worldOf(objects);
  return atOnce(compileInSteps(world, compileAudiences(world)));
}
