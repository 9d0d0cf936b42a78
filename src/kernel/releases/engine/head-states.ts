import type { Steps } from '#kernel/base/turns.ts';
import { Head, candidateOf, everyoneOf, headName, type LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import type { LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Reader } from '#kernel/store/contract.ts';
import type { ReleaseItem } from '../kinds/release-spec.ts';
import type { ReleasePart } from '../kinds/targets.ts';
import { oncePerEntry } from '../rules/once-per-entry.ts';
import type { Intent } from './progress.ts';
import { sameSide, type State } from './same-side.ts';

export interface LiveEveryone {
  readonly object: LiveObject;
  readonly generation: number;
}

/** The content of a Head, with specs. */
export interface HeadContent {
  readonly everyone?: LiveEveryone;
  readonly candidate?: LiveCandidate;
}

/** The content of a Head, without specs: who gets which state. */
export interface HeadState {
  readonly everyone: State | undefined;
  readonly candidate?: { readonly release: string; readonly state: State | undefined; readonly stage: number };
}

type ObjectName = Pick<ReleaseItem, 'kind' | 'name'>;

/** Heads that are read in one step: two milliseconds. */
const READ_AT_ONCE = 100;

/** The present content of Heads. Every step reads it: parsed states are cached with their Heads. */
export class HeadStates {
  readonly #read: Pick<Reader, 'get'>;
  readonly #kinds: KindRegistry;
  readonly #stateIn = oncePerEntry((head) => headState(head.outline()));

  constructor(read: Pick<Reader, 'get'>, kinds: KindRegistry) {
    this.#read = read;
    this.#kinds = kinds;
  }

  content({ kind, name }: ObjectName): HeadContent {
    const head = this.#read.get(Head, '', headName(this.#kinds.byId(kind), name))?.object();
    if (head === undefined) return {};
    const everyone = everyoneOf(head);
    const candidate = candidateOf(head);
    return { ...(everyone === undefined ? {} : { everyone }), ...(candidate === undefined ? {} : { candidate }) };
  }

  state({ kind, name }: ObjectName): HeadState {
    const head = this.#read.get(Head, '', headName(this.#kinds.byId(kind), name));
    return head === undefined ? { everyone: undefined } : this.#stateIn(head);
  }

  /** Reads the states of objects in steps: a look that needs them at once then finds nearly all in the cache. */
  *read(objects: readonly ObjectName[]): Steps<void> {
    for (const [index, one] of objects.entries()) {
      if (index % READ_AT_ONCE === READ_AT_ONCE - 1) yield;
      this.state(one);
    }
  }

  /** The intent in the Heads of one target's objects. */
  intent(release: string, { objects }: Pick<ReleasePart, 'objects'>): Intent {
    return intentOf(release, objects, (one) => this.state(one));
  }
}

/** The intent of a release: the same in all Heads, or mixed. Pure. */
export function intentOf(
  release: string,
  objects: readonly ReleaseItem[],
  stateOf: (one: ObjectName) => HeadState,
): Intent {
  let first: Intent | undefined;
  for (const one of objects) {
    const intent = intentOfOne(release, one, stateOf(one));
    first ??= intent;
    const isSameStage =
      intent.at === 'stage' && first.at === 'stage' ? intent.stage === first.stage : intent.at === first.at;
    if (!isSameStage) return { at: 'mixed' };
  }
  return first ?? { at: 'nobody' };
}

function intentOfOne(release: string, { to }: ReleaseItem, { everyone, candidate }: HeadState): Intent {
  if (candidate?.release === release) {
    return sameSide(to, candidate.state) ? { at: 'stage', stage: candidate.stage } : { at: 'mixed' };
  }
  return sameSide(to, everyone) ? { at: 'everybody' } : { at: 'nobody' };
}

function headState(head: ResourceObject): HeadState {
  const everyone = stateOf(everyoneOf(head)?.object);
  const candidate = candidateOf(head);
  if (candidate === undefined) return { everyone };
  const { release, object, stage } = candidate;
  return { everyone, candidate: { release, state: stateOf(object), stage } };
}

function stateOf(object: LiveObject | undefined): State | undefined {
  if (object === undefined) return undefined;
  const { revision, namespace, labels } = object;
  return { revision, namespace, labels };
}
