import { createHmac } from 'node:crypto';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import type { CohortSubject } from './cohort-membership.ts';
import type { ExposingRelease } from './exposing-releases.ts';

/** Releases whose hash is kept prepared. */
const RELEASES_MAX = 1_000;
/** Of 6 bits each. With the bar behind them they are two whole blocks of the hash, which are done ahead. */
const SALT_CHARS = 31;

/** The cell of a subject's unit in a release, 0 to CELLS − 1; undefined for a subject without an id. */
export type CellOf = (release: Pick<ExposingRelease, 'name' | 'cohort'>, subject: CohortSubject) => number | undefined;

/**
 * Puts units into cells. The hash has a key for each release, made of the `secret` that all nodes of the installation
 * share. So a cell tells nothing about the bucket of assignment. And who reads the cells of pseudonyms cannot compute the
 * cell of a unit that they know, nor follow one pseudonym from release to release.
 */
export function cellsOfUnits(secret: Buffer): CellOf {
  const slots = new Map<string, (unit: string) => number>();
  return ({ name, cohort }, subject) => {
    const unit = subject.units[cohort.unit];
    if (unit === undefined) return undefined;
    let slotOf = slots.get(name);
    if (slotOf === undefined) {
      if (slots.size >= RELEASES_MAX) slots.clear();
      const salt = createHmac('sha256', secret).update(name).digest('base64').slice(0, SALT_CHARS);
      slotOf = compileSlot({ algorithm: 'backline', salt }, CELLS);
      slots.set(name, slotOf);
    }
    return Math.floor(slotOf(unit));
  };
}
