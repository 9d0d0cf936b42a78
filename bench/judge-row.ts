import { seedRandom } from '#kernel/base/chance.ts';
import { fold, type GuardrailState } from '#kernel/statistics/fold.ts';
import type { GuardrailSpec } from '#kernel/statistics/guardrail.ts';
import { judge } from '#kernel/statistics/judge.ts';
import { peersOf } from './judge-peers.ts';
import { windowsOf, type World } from './judge-world.ts';

export const ALPHA = 0.05;

/** The result of one simulated release. */
export interface Outcome {
  readonly failed: boolean;
  /** Whether it was called safe at any look before. */
  readonly passed: boolean;
  /** Looks, and units of the candidate, up to the failure, or to the end. */
  readonly looks: number;
  readonly candidateUnits: number;
  /** The divisor of the evidence of harm at the last look. */
  readonly dispersion: number;
  readonly peers: { readonly z: boolean; readonly msprt: boolean; readonly kayenta: boolean };
}

/** Plays a release to its end, looked at after each window, as often as is asked. A seed gives the same on every machine. */
export function play(spec: GuardrailSpec, world: World, runs: number, seed: number): readonly Outcome[] {
  const chance = seedRandom(seed);
  return Array.from({ length: runs }, () => playOnce(spec, world, chance));
}

function playOnce(spec: GuardrailSpec, world: World, chance: () => number): Outcome {
  const peers = peersOf(world.rate(0));
  let folded: GuardrailState | undefined;
  let [failed, passed, looks, candidateUnits, dispersion] = [false, false, 0, 0, 1];
  for (const interval of windowsOf(world, chance)) {
    peers.look(interval);
    folded = fold(spec, folded, [interval]);
    looks += 1;
    candidateUnits += interval.candidate.units;
    const { outcome, figures } = judge(
      spec,
      { at: 'intervals', intervals: [], folded },
      { nowMs: interval.toMs, alpha: ALPHA, beta: ALPHA, metrics: 1 },
    );
    failed = outcome === 'fail';
    passed ||= outcome === 'pass';
    if (figures.of === 'riskRatio') dispersion = figures.dispersion.harm;
    // Failure is final.
    if (failed) break;
  }
  return { failed, passed, looks, candidateUnits, dispersion, peers: peers.alarms() };
}
