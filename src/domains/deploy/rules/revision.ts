import { contentHash } from '#kernel/base/ids.ts';
import type { Program } from './cluster-state.ts';

/** Digits of a revision: short enough for names, and unique among the revisions of one Component. */
const DIGITS = 10;

/**
 * The revision of a program: the digest of everything that makes a replica run differently. Replicas and clusters are no part of it:
 * scaling replaces no replica.
 */
export function revisionOf(program: Program): string {
  return contentHash(program).slice(0, DIGITS);
}
