import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';

/** A digest of a set of live objects, 64 bits in halves: a sum, so that it follows from what is added and taken away. */
export interface WorldDigest {
  readonly low: number;
  readonly high: number;
}

export const NO_OBJECTS: WorldDigest = { low: 0, high: 0 };

/** The digest with one more object, or with one less. */
export function changedDigest(digest: WorldDigest, object: LiveObject, by: 1 | -1): WorldDigest {
  const { low, high } = digestOf(object);
  return { low: (digest.low + by * low) >>> 0, high: (digest.high + by * high) >>> 0 };
}

/** Of all these objects, in whatever order. */
export function worldDigest(objects: Iterable<LiveObject>): WorldDigest {
  return atOnce(worldDigestInSteps(objects));
}

/** The same in steps. */
export function* worldDigestInSteps(objects: Iterable<LiveObject>): Steps<WorldDigest> {
  let digest = NO_OBJECTS;
  for (const object of objects) {
    digest = changedDigest(digest, object, 1);
    yield;
  }
  return digest;
}

/** Of all objects of two sets that share none. */
export function summedDigest(a: WorldDigest, b: WorldDigest): WorldDigest {
  return { low: (a.low + b.low) >>> 0, high: (a.high + b.high) >>> 0 };
}

/** 16 hexadecimal digits. */
export function digestText({ low, high }: WorldDigest): string {
  return `${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}

/** Two lanes of FNV-1a over everything that tells an object apart; its spec is in its revision. */
function digestOf(object: LiveObject): WorldDigest {
  const { kind, namespace, name, labels, revision, allotment } = object;
  // Neither kinds nor names nor revisions have spaces in them.
  let text = `${kind} ${namespace} ${name} ${revision}`;
  for (const label in labels) text += ` ${label}=${labels[label] ?? ''}`;
  if (allotment !== undefined) text += ` ${JSON.stringify(allotment)}`;
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b) ^ (high >>> 13);
  }
  return { low: mixHash(low), high: mixHash(high) };
}

/** The end of murmur3: sums of hashes that are alike would be alike. */
function mixHash(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
