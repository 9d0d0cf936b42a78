import type { Condition, Truth } from './language.ts';

/**
 * A version in the form in which GrowthBook compares versions as texts: numbers padded to five places, parts joined by
 * `-`, and `~`, which is above every letter, after the third part of a version that is no pre-release. Any value but a
 * text or a number, and the empty text, is version 0.
 *
 * Source: `paddedVersionString` of @growthbook/growthbook.
 */
export function paddedVersion(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  const version = typeof text === 'string' && text !== '' ? text : '0';
  const parts = version.replace(/(^v|\+.*$)/g, '').split(/[-.]/);
  if (parts.length === 3) parts.push('~');
  return parts.map((part) => (/^[0-9]+$/.test(part) ? part.padStart(5, ' ') : part)).join('-');
}

/** The test of a condition that reads texts as versions of GrowthBook, for a padded version. */
export function growthbookVersionTest(condition: Condition): (padded: unknown) => Truth {
  const { atLeast, above, atMost, below } = condition;
  const members = condition.in ?? condition.notIn;
  if (members !== undefined) {
    const set = new Set<unknown>(members.map(paddedVersion));
    return (padded) => set.has(padded);
  }
  const bounds = [
    { bound: atLeast, holds: (padded: string, bound: string) => padded >= bound },
    { bound: above, holds: (padded: string, bound: string) => padded > bound },
    { bound: atMost, holds: (padded: string, bound: string) => padded <= bound },
    { bound: below, holds: (padded: string, bound: string) => padded < bound },
  ].flatMap(({ bound, holds }) => (bound === undefined ? [] : [{ bound: paddedVersion(bound), holds }]));
  return (padded) => typeof padded === 'string' && bounds.every(({ bound, holds }) => holds(padded, bound));
}
