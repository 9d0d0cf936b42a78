import { namesIn } from '#kernel/audiences/language/audience-problems.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { experimentSpec } from './kinds/experiment-spec.ts';
import { EXPERIMENT } from './kinds/identity.ts';

/** Advises authors of an audience about running experiments that use it. */
export function runningAdvisor(live: World): Advisor {
  return {
    kind: Audience,
    advise: ({ metadata }) => {
      const running = [...live.list(EXPERIMENT)].filter((object) => usesAudience(object, metadata.name, live));
      const own = running.filter(({ namespace }) => namespace === metadata.namespace).map(({ name }) => name);
      const others = running.length - own.length;
      return [
        ...own.map((name) => `Running experiment "${name}" uses it: listeners who no longer match leave it.`),
        ...(others === 0
          ? []
          : [`Running experiments of other namespaces use it (${others}): listeners who no longer match leave them.`]),
      ];
    },
  };
}

/** Whether a running experiment targets this audience, or one that includes it. */
function usesAudience(object: LiveObject, audience: string, live: World): boolean {
  const { state, audience: named, when } = experimentSpec(object);
  if (state !== 'running') return false;
  const names = new Set([...(named === undefined ? [] : [named]), ...(when === undefined ? [] : namesIn(when))]);
  for (const name of names) {
    const found = live.get(AUDIENCE, name);
    for (const below of found === undefined ? [] : namesIn(Audience.spec(found))) names.add(below);
  }
  return names.has(audience);
}
