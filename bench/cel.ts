import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compileCel, type CelProgram } from '#kernel/cel/cel.ts';
import { CelCostError } from '#kernel/cel/cel-error.ts';
import { KUBERNETES } from '#kernel/cel/libraries/kubernetes.ts';
import { DYN } from '#kernel/cel/types.ts';
import type { Value } from '#kernel/cel/values.ts';
import { absolute, median, type Figure } from './figure.ts';

/** A rule as policies have it: four conditions, a text and a list. */
const RULE = `
  object.spec.replicas <= 5 && object.metadata.name.startsWith('web') &&
  (!has(object.spec.paused) || object.spec.paused == false) &&
  object.spec.ports.all(p, p.port > 0 && p.port < 65536 && p.name.matches('^[a-z]+$')) &&
  ('team' in object.metadata.labels)`;
const OBJECT = {
  metadata: { name: 'web-1', labels: { team: 'a', tier: 'gold' } },
  spec: { replicas: 3, ports: [80, 443].map((port) => ({ port, name: port === 80 ? 'http' : 'https' })) },
};
const RUNS = 200_000;
const RULES = 20_000;
/** Units that policies allow one expression. */
const COST_MAX = 250_000;
const ROUNDS = 5;

/** Expressions of CEL: rules a second, memory of a compiled one, and one of a million steps, which must end at its limit. */
export async function* run(): AsyncIterable<Figure> {
  const object = OBJECT as unknown as Value;
  const rule = compile(RULE);
  const perSecond: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedMs = performance.now();
    for (let at = 0; at < RUNS; at += 1) {
      if (rule.run({ object }, COST_MAX) !== true) throw new Error('the rule does not hold');
    }
    perSecond.push((RUNS / (performance.now() - startedMs)) * 1_000);
  }
  yield absolute('cel: typical rules', 'rules/s', median(perSecond), { min: 100_000 });
  const startedMs = performance.now();
  const kept: CelProgram[] = [];
  const before = heapBytes();
  for (let at = 0; at < RULES; at += 1) kept.push(compile(RULE.replace('65536', String(65_536 + at))));
  const compiledMs = performance.now() - startedMs;
  yield absolute('cel: a compiled rule', 'KB', (heapBytes() - before) / kept.length / 1_024, { max: 10 });
  yield absolute('cel: compiling a rule', 'ms', compiledMs / kept.length, { max: 1 });
  const ten = '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]';
  const bomb = compile(
    Array.from({ length: 6 }, (_, level) => `x${level}`).reduceRight(
      (body, name) => `${ten}.all(${name}, ${body})`,
      'true',
    ),
  );
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const begunMs = performance.now();
    try {
      bomb.run({ object }, COST_MAX);
      throw new Error('the bomb has ended');
    } catch (error) {
      if (!(error instanceof CelCostError)) throw error;
    }
    took.push(performance.now() - begunMs);
  }
  yield absolute('cel: a million steps end at the limit of a policy after', 'ms', median(took), { max: 50 });
}

function compile(text: string): CelProgram {
  const { program, problems } = compileCel(text, { variables: { object: DYN }, libraries: KUBERNETES });
  if (program === undefined) throw new Error(problems?.[0]?.message);
  return program;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
