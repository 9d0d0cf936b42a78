import type { PolicySpec } from './kinds/policy-spec.ts';

/**
 * How many units are on record, by market; undefined where it is not known: then nothing is said about them.
 */
export type KnownUnits = (unit: PolicySpec['unit']) => ReadonlyMap<string, number> | undefined;
