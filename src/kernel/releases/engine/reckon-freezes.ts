import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { Freeze, type FreezeSpec } from '../kinds/freeze.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { spanAfter, type Span } from '../kinds/freeze-window.ts';
import type { ReleaseObservation } from './advance.ts';
import { selects } from '../rules/choose-policy.ts';

/** What could not be reckoned with is tried again after this. */
const AGAIN_MS = 300_000;

/** A freeze as it was reckoned with, good until its next edge. */
export interface ReckonedFreeze {
  readonly version: number;
  readonly spec: FreezeSpec;
  readonly generation: number;
  /** When this generation was first seen: what it says of the time before is nothing that anybody was held by. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly edgeMs: number;
  readonly span: Span | undefined;
  readonly problem?: string;
}

export interface FreezeReckoning {
  /** All freezes, by name. Each is reckoned with once for each of its edges. */
  readonly all: (nowMs: number) => ReadonlyMap<string, ReckonedFreeze>;
  /** The freeze that holds a release now. One that cannot be reckoned with holds. */
  readonly holding: (spec: ReleaseSpec, nowMs: number) => ReleaseObservation['frozen'];
}

/** Knows which freezes are open, as the store has them at each call. */
export function reckonFreezes(options: {
  readonly store: Pick<Store<never>, 'list'>;
  readonly kinds: KindRegistry;
  /** Called with the name of a freeze that cannot be reckoned with. */
  readonly failed?: (error: unknown, freeze: string) => void;
}): FreezeReckoning {
  const { store, kinds, failed = () => {} } = options;
  let known: ReadonlyMap<string, ReckonedFreeze> = new Map();
  return { all, holding };

  function all(nowMs: number): ReadonlyMap<string, ReckonedFreeze> {
    known = new Map(Array.from(store.list(Freeze), (one) => [one.name, reckon(one, known.get(one.name), nowMs)]));
    return known;
  }

  function holding({ objects }: ReleaseSpec, nowMs: number): ReleaseObservation['frozen'] {
    const freezes = all(nowMs);
    if (freezes.size === 0) return undefined;
    // As it is live and as it is declared: taking a label off leads past no freeze.
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

  function reckon(entry: Entry, last: ReckonedFreeze | undefined, nowMs: number): ReckonedFreeze {
    const isCurrent = last !== undefined && last.atMs <= nowMs && nowMs < last.edgeMs;
    if (isCurrent && last.version === entry.version) return last;
    const object = entry.object();
    const generation = object.metadata.generation ?? 1;
    const isEdited = last?.generation !== generation;
    if (isCurrent && !isEdited) return { ...last, version: entry.version };
    const spec = Freeze.spec(object);
    const sinceMs = isEdited ? nowMs : last.sinceMs;
    const reckoned = { version: entry.version, spec, generation, sinceMs, atMs: nowMs };
    try {
      const span = spanAfter(spec, nowMs);
      const edgeMs = span === undefined ? Infinity : span.fromMs > nowMs ? span.fromMs : span.untilMs;
      return { ...reckoned, span, edgeMs };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      failed(error, entry.name);
      const problem = `it cannot be reckoned with and is taken as open: ${why}`;
      return { ...reckoned, span: undefined, edgeMs: nowMs + AGAIN_MS, problem };
    }
  }
}
