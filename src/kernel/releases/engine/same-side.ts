import { isDeepStrictEqual } from 'node:util';
import type { Side } from '../kinds/release-spec.ts';

/** What tells states of an object apart: what it says, where it is, and how it is labelled. */
export type State = Pick<Side, 'revision' | 'namespace' | 'labels'>;

/** Whether two states of an object are one; undefined: it is not there. */
export function sameSide(a: State | undefined, b: State | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.revision === b.revision && a.namespace === b.namespace && isDeepStrictEqual(a.labels, b.labels);
}
