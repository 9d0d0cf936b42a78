import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { Freeze, type FreezeSpec } from '../kinds/freeze.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { spanAfter, type Span } from '../kinds/freeze-window.ts';
import type { ReleaseObservation } from './advance.ts';
import { selects } from '../rules/choose-policy.ts';

/** Retry interval of a freeze that cannot be evaluated. */
const AGAIN_MS = 300_000;

/** An evaluated freeze, valid until its next edge. */
export interface EvaluatedFreeze {
  readonly version: number;
  readonly spec: FreezeSpec;
  readonly generation: number;
  /** When this generation was first read: it has held no release before. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly edgeMs: number;
  readonly span: Span | undefined;
  readonly problem?: string;
}

export interface FreezeStates {
  /** All freezes, by name. Each is evaluated once for each of its edges. */
  readonly all: (nowMs: number) => ReadonlyMap<string, EvaluatedFreeze>;
  /** The freeze that holds a release now. One that cannot be evaluated holds it. */
  readonly holding: (spec: ReleaseSpec, nowMs: number) => ReleaseObservation['frozen'];
}

/** Evaluates freezes, as the store has them at each call. */
export function evaluateFreezes(options: {
  readonly store: Pick<Store<never>, 'list'>;
  readonly kinds: KindRegistry;
  /** Called with the name of a freeze that cannot be evaluated. */
  readonly onFailure?: (error: unknown, freeze: string) => void;
}): FreezeStates {
  const { store, kinds, onFailure = () => {} } = options;
  let known: ReadonlyMap<string, EvaluatedFreeze> = new Map();
  return { all, holding };

  function all(nowMs: number): ReadonlyMap<string, EvaluatedFreeze> {
    known = new Map(Array.from(store.list(Freeze), (one) => [one.name, evaluate(one, known.get(one.name), nowMs)]));
    return known;
  }

  function holding({ objects }: ReleaseSpec, nowMs: number): ReleaseObservation['frozen'] {
    const freezes = all(nowMs);
    if (freezes.size === 0) return undefined;
    // Both the live and the declared state count: removing a label evades no freeze.
    const sides = objects.flatMap(({ kind, from, to }) =>
      [from, to].flatMap((side) =>
        side === undefined ? [] : [{ kind: kinds.byId(kind), namespace: side.namespace, labels: side.labels }],
      ),
    );
    for (const [name, { spec, span, sinceMs, edgeMs, problem }] of freezes) {
      const { selector } = spec;
      if (selector !== undefined && !sides.some((side) => selects(selector, side))) continue;
      const because = `${spec.reason} (${spec.owner})`;
      if (problem !== undefined) {
        return { name, because: `${because}; ${problem}`, sinceMs, untilMs: edgeMs };
      }
      if (span === undefined || span.fromMs > nowMs) continue;
      return { name, because, sinceMs: Math.max(span.fromMs, sinceMs), untilMs: span.untilMs };
    }
    return undefined;
  }

  function evaluate(entry: Entry, last: EvaluatedFreeze | undefined, nowMs: number): EvaluatedFreeze {
    const isCurrent = last !== undefined && last.atMs <= nowMs && nowMs < last.edgeMs;
    if (isCurrent && last.version === entry.version) return last;
    const object = entry.object();
    const generation = object.metadata.generation ?? 1;
    const isEdited = last?.generation !== generation;
    if (isCurrent && !isEdited) return { ...last, version: entry.version };
    const spec = Freeze.spec(object);
    const sinceMs = isEdited ? nowMs : last.sinceMs;
    const evaluated = { version: entry.version, spec, generation, sinceMs, atMs: nowMs };
    try {
      const span = spanAfter(spec, nowMs);
      const edgeMs = span === undefined ? Infinity : span.fromMs > nowMs ? span.fromMs : span.untilMs;
      return { ...evaluated, span, edgeMs };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      onFailure(error, entry.name);
      const problem = `it cannot be evaluated and counts as open: ${why}`;
      return { ...evaluated, span: undefined, edgeMs: nowMs + AGAIN_MS, problem };
    }
  }
}
