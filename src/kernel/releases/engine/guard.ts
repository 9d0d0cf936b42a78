import { releaseRefusal } from '#kernel/releases/refusals.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { Head, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Author, Entry, Reader } from '#kernel/store/contract.ts';
import type { Admission } from '#kernel/store/rules/write.ts';
import { ENGINE } from './advance.ts';
import type { ObjectRef } from './object-ref.ts';
import { sameSide, type State } from './same-side.ts';
import { Pin, type PinSpec } from '../kinds/pin.ts';
import { Release } from '../kinds/release.ts';

/** The user of writes that restore the live state in a rollback. */
export const ROLLBACK_USER = 'backline-rollback';
/** How a pin names the absence of an object among the refused revisions. */
const ABSENT = 'absent';

type WriteRequest = Parameters<Admission['mayStore']>[0];

/**
 * Refuses pinned changes, and changes to objects of an open release where its policy rejects them. Reads stored state within the
 * write itself.
 */
export const releaseGuard: Admission = {
  mayAsk: ({ operation, kind, current, author, ...rest }) => {
    if (operation.verb !== 'delete' || current === undefined || !kind.released || isOurs(author)) return;
    const write = { ...rest, operation, kind, current, author, object: current.object() };
    requireUnpinned(write, undefined);
    requireFree(write);
  },
  mayStore: (write) => {
    const { kind, object, current } = write;
    if (!kind.released || isOurs(write.author)) return;
    const state = stateOf(object);
    if (current !== undefined && sameSide(stateOf(current.object()), state)) return;
    requireUnpinned(write, state);
    requireFree(write);
  },
};

function isOurs({ user, caller }: Author): boolean {
  return caller === undefined && (user === ENGINE || user === ROLLBACK_USER);
}

function requireUnpinned({ kind, read, now, object }: WriteRequest, state: State | undefined): void {
  const { namespace = '', name } = object.metadata;
  const pinned = pinOn(read, { kind, name: liveName(kind, namespace, name) }, state, now);
  if (pinned === undefined) return;
  const { release } = pinned.pin;
  const unpin = release === undefined ? '' : `, or backline release unpin ${release}`;
  throw releaseRefusal('pinned', pinned.because, {
    subject: name,
    remedy: `${pinned.pin.refuses === undefined ? 'Unpin it' : 'Change it to something else, or unpin it'}: kubectl delete pin ${pinned.name}${unpin}.`,
  });
}

/** The pin that refuses a state of an object now, with a sentence. */
export function pinOn(
  read: Reader,
  { kind, name }: ObjectRef,
  state: State | undefined,
  now: Temporal.Instant,
): { readonly name: string; readonly pin: PinSpec; readonly because: string } | undefined {
  for (const entry of pinsOf(read, kind, name)) {
    const pin = Pin.spec(entry.object());
    if (isOver(pin, now) || !refuses(pin, state, { kind, name }, read)) continue;
    const until = pin.until === undefined ? '' : ` until ${pin.until}`;
    const isBack = pin.release !== undefined && pin.refuses !== undefined;
    const what = isBack ? ` after release ${pin.release} was rolled back` : '';
    const because = `${kind.kind} "${name}" is pinned by ${pin.by}${what}${until}: ${pin.reason}`;
    return { name: entry.name, pin, because };
  }
  return undefined;
}

/** All pins of an object. */
export function pinsOf(read: Pick<Reader, 'find'>, kind: Kind, name: string): readonly Entry[] {
  return read.find(Pin, 'object', `${kind.id} ${name}`);
}

export function isOver({ until }: PinSpec, now: Temporal.Instant): boolean {
  return until !== undefined && Temporal.Instant.compare(now, Temporal.Instant.from(until)) >= 0;
}

function refuses(
  pin: PinSpec,
  state: State | undefined,
  { kind, name }: ObjectRef,
  read: Pick<Reader, 'get'>,
): boolean {
  if (pin.refuses !== undefined) {
    const names = state === undefined ? [ABSENT] : [state.revision, nameOf(state)];
    return names.some((one) => pin.refuses?.includes(one));
  }
  const head: ResourceObject | undefined = read.get(Head, '', headName(kind, name))?.object();
  return !sameSide(head === undefined ? undefined : everyoneOf(head)?.object, state);
}

/**
 * The value that a pin refuses after a rollback: the revision, with any labels. Where only labels or the namespace changed, that
 * state alone: everyone has its revision.
 */
export function refusedOf(from: State | undefined, to: State | undefined): string {
  if (to === undefined) return ABSENT;
  return from?.revision === to.revision ? nameOf(to) : to.revision;
}

function nameOf({ revision, namespace, labels }: State): string {
  return contentHash([revision, namespace, labels]);
}

function stateOf({ metadata: { namespace = '', labels = {} }, spec }: ResourceObject): State {
  return { revision: contentHash(spec), namespace, labels };
}

/** With the policy `queue: reject`, objects of an open release cannot change. */
function requireFree({ kind, read, object }: WriteRequest): void {
  const { namespace = '', name } = object.metadata;
  const live = liveName(kind, namespace, name);
  for (const entry of read.find(Release, 'openObject', `${kind.id} ${live}`)) {
    const { policy } = Release.spec(entry.object());
    if (policy?.spec.queue !== 'reject') continue;
    throw releaseRefusal(
      'under-way',
      `Release "${entry.name}" is in progress with ${kind.kind} "${live}", and policy ${policy.name} rejects other changes until it ends`,
      { subject: name, remedy: `Wait for it, or abort it: backline release abort ${entry.name}.` },
    );
  }
}
