import type { Kind } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { selects } from './choose-policy.ts';
import type { Selector } from '../kinds/policy-spec.ts';

const LIMITS = {
  /** Objects that are examined: a selection runs on the event loop that serves all requests. */
  lookedAt: 10_000,
  namesShown: 3,
} as const;

/** The properties of an object that a selector reads. */
export interface Selectable {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Selection {
  readonly objects: number;
  /** Some of them, as kind and name. */
  readonly names: readonly string[];
  /** True when objects were left out: the count is a lower bound. */
  readonly isPart: boolean;
}

/** The present selection of a selector. Pure. */
export function selectionOf(
  selector: Selector,
  kinds: readonly Kind[],
  list: (kind: Kind) => Iterable<Selectable>,
): Selection {
  let lookedAt = 0;
  let objects = 0;
  const names: string[] = [];
  for (const kind of kinds) {
    if (!kind.released || !isAboutKind(selector, kind)) continue;
    for (const { namespace, name, labels } of list(kind)) {
      if (lookedAt >= LIMITS.lookedAt) return { objects, names, isPart: true };
      lookedAt += 1;
      if (!selects(selector, { kind, namespace, labels })) continue;
      objects += 1;
      if (names.length < LIMITS.namesShown) names.push(`${kind.kind}/${liveName(kind, namespace, name)}`);
    }
  }
  return { objects, names, isPart: false };
}

function isAboutKind({ kinds }: Selector, kind: Kind): boolean {
  return kinds === undefined || kinds.includes(kind.id) || kinds.includes(kind.kind);
}

/** `12 objects: Flag/a, Flag/b, Flag/c and 9 more`. */
export function selectionText({ objects, names, isPart }: Selection): string {
  const more = objects - names.length;
  const counted = `${isPart ? 'at least ' : ''}${objects} ${objects === 1 ? 'object' : 'objects'}`;
  return names.length === 0 ? counted : `${counted}: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
