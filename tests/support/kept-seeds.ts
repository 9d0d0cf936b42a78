import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Simulation = 'ad-money' | 'four-eyes' | 'judge' | 'quotas' | 'records' | 'releases';

/** The seed of BACKLINE_TEST_SEED, as a list; empty without it. */
export function askedSeed(): readonly number[] {
  const asked = process.env['BACKLINE_TEST_SEED'];
  return asked === undefined ? [] : [Number(asked)];
}

/**
 * The seeds of a simulation in `tests/seeds.json`, which every run plays: those that failed once, and the fixed ones of simulations
 * that choose none. Empty with BACKLINE_TEST_SEED, which is played alone.
 */
export function keptSeeds(simulation: Simulation): readonly number[] {
  if (askedSeed().length > 0) return [];
  const text = readFileSync(join(import.meta.dirname, '../seeds.json'), 'utf8');
  return (JSON.parse(text) as Record<Simulation, readonly number[]>)[simulation];
}
