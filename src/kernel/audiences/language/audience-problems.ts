import type { Path, Problem } from '#kernel/base/failures.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { AUDIENCE } from './identity.ts';
import { AUDIENCE_LIMITS, type AudienceRule } from './language.ts';

interface Spec {
  readonly anyOf?: AudienceRule['anyOf'];
}

/** Problems that keep an Audience from going live beside its references: cycles, and chains that are too long. */
export function audienceProblems(
  spec: Spec,
  world: World,
  name: string,
  specOf: (object: LiveObject) => Spec,
): readonly Problem[] {
  const { depthMax } = AUDIENCE_LIMITS;
  const below = (from: string): readonly string[] => {
    const object = world.get(AUDIENCE, from);
    return object === undefined ? [] : namesIn(specOf(object));
  };
  for (const { audience, path } of referencesIn(spec)) {
    const circle = wayTo(name, audience, below, new Set([name]));
    if (circle !== undefined) {
      const detail = `the audiences ${[name, ...circle].map(quote).join(' → ')} form a cycle`;
      return [{ path, reason: 'FieldValueInvalid', detail }];
    }
  }
  const above = (from: string) => world.find(AUDIENCE, 'audience', from).map((object) => object.name);
  const chain = [...longest(name, above, new Map()).toReversed(), ...longest(name, below, new Map()).slice(1)];
  if (chain.length <= depthMax) return [];
  const detail = `the chain ${chain.map(quote).join(' → ')} has ${chain.length} audiences, and ${depthMax} are allowed; write some of them out`;
  return [{ path: ['spec', 'anyOf'], reason: 'FieldValueTooMany', detail }];
}

/** Names of the audiences that a spec refers to. */
export function namesIn(spec: Spec): readonly string[] {
  return referencesIn(spec).map(({ audience }) => audience);
}

function referencesIn({ anyOf = [] }: Spec): readonly { audience: string; path: Path }[] {
  return anyOf.flatMap(({ allOf }, group) =>
    allOf.flatMap(({ audience }, index) =>
      audience === undefined ? [] : [{ audience, path: ['spec', 'anyOf', group, 'allOf', index, 'audience'] as const }],
    ),
  );
}

type Step = (from: string) => readonly string[];

function wayTo(wanted: string, from: string, next: Step, seen: Set<string>): readonly string[] | undefined {
  if (from === wanted) return [from];
  if (seen.has(from)) return undefined;
  seen.add(from);
  for (const name of next(from)) {
    const way = wayTo(wanted, name, next, seen);
    if (way !== undefined) return [from, ...way];
  }
  return undefined;
}

/** The longest chain that begins here. A cycle ends where it closes. */
function longest(from: string, next: Step, known: Map<string, readonly string[]>): readonly string[] {
  const found = known.get(from);
  if (found !== undefined) return found;
  known.set(from, [from]);
  let best: readonly string[] = [];
  for (const name of next(from)) {
    const chain = longest(name, next, known);
    if (chain.length > best.length) best = chain;
  }
  const whole = [from, ...best];
  known.set(from, whole);
  return whole;
}

function quote(name: string): string {
  return `"${name}"`;
}
