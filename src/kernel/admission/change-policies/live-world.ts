import { CelError } from '#kernel/cel/cel-error.ts';
import { method, noOverload, type Library } from '#kernel/cel/functions.ts';
import { UNKNOWN_SIZE } from '#kernel/cel/sizes.ts';
import { DYN, opaque, STRING } from '#kernel/cel/types.ts';
import { Opaque, type PlainMap, type Value } from '#kernel/cel/values.ts';
import { everyoneOf, Head, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { wantedLive } from '#kernel/releases/live.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';

export const LIVE = opaque('backline.Live');

/** Looking up an object costs as much as reading some fields. */
const LOOKUP_COST = 100;

/** `live.get("Plan", "premium")`: the live object, or null. */
export const LIVE_LIBRARY: Library = {
  functions: [
    {
      name: 'get',
      overloads: [method([LIVE, STRING, STRING], DYN)],
      call: (...args: readonly Value[]) => {
        const [world, kind, name] = args;
        if (!(world instanceof LiveWorld) || typeof kind !== 'string' || typeof name !== 'string') {
          throw noOverload('get', ...args);
        }
        return world.get(kind, name);
      },
      cost: { of: () => LOOKUP_COST, worst: () => LOOKUP_COST },
      size: () => UNKNOWN_SIZE,
    },
  ],
};

/** The objects that everybody gets, for expressions to look up. */
export class LiveWorld extends Opaque {
  readonly typeName = 'backline.Live';
  readonly key = '';
  readonly #read: Reader;
  readonly #kinds: KindRegistry;

  constructor(read: Reader, kinds: KindRegistry) {
    super();
    this.#read = read;
    this.#kinds = kinds;
  }

  get(name: string, object: string): Value {
    const kind = this.#kinds.all.find((one) => one.id === name || one.kind === name);
    if (kind === undefined || kind.confidential === true || !(kind.released || kind.direct)) {
      throw new CelError(`no objects of the kind "${name}" are live`);
    }
    return liveValue(liveIn(this.#read, kind, object));
  }
}

/** The live object of a kind: that of its Head, or the declared one where it is live with the write. */
export function liveIn(read: Reader, kind: Kind, name: string): LiveObject | undefined {
  if (kind.direct) {
    const entry = findEntry(read, kind, name);
    return entry === undefined ? undefined : wantedLive(entry);
  }
  const head = kind.released ? read.get(Head, '', headName(kind, name)) : undefined;
  return head === undefined ? undefined : everyoneOf(head.object())?.object;
}

/** The part of a live object that expressions know. */
export function liveValue(object: LiveObject | undefined): Value {
  if (object === undefined) return null;
  const { namespace, name, labels, spec } = object;
  return { namespace, name, labels, spec } as unknown as PlainMap;
}
