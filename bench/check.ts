import { check } from '#domains/products/decisions/check.ts';
import { compile } from '#domains/products/decisions/compile.ts';
import { largeCatalogue, worldOf } from './catalogue.ts';
import { absolute, median, type Figure } from './figure.ts';

const CALLS = 2_000_000;
const ROUNDS = 7;

/** `check` in process over a catalogue of 200 markets × 10 plans × 100 features, questions spread over all of it. */
export async function* run(): AsyncIterable<Figure> {
  const table = compile(worldOf(largeCatalogue()));
  const now = Temporal.Instant.from('2026-11-22T00:00:00Z');
  const markets = [...table.markets.keys()];
  const questions = Array.from({ length: 4096 }, (_, index) => ({
    market: markets[(index * 7) % markets.length] ?? '',
    plan: `plan-${index % 10}`,
    feature: `feature-${(index * 31) % 90}`,
  }));
  const peer = new Map(
    questions.map((question) => [`${question.market} ${question.plan} ${question.feature}`, 'allow']),
  );
  const ours: number[] = [];
  const peers: number[] = [];
  let allowed = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    let started = performance.now();
    for (let call = 0; call < CALLS; call += 1) {
      const question = questions[call & 4095];
      if (question !== undefined && check(table, question, now).outcome === 'allow') allowed += 1;
    }
    ours.push(((performance.now() - started) * 1000) / CALLS);
    started = performance.now();
    for (let call = 0; call < CALLS; call += 1) {
      const question = questions[call & 4095];
      if (question !== undefined && peer.get(`${question.market} ${question.plan} ${question.feature}`) === 'allow')
        allowed += 1;
    }
    peers.push(((performance.now() - started) * 1000) / CALLS);
  }
  if (allowed !== 2 * CALLS * ROUNDS) throw new Error(`only ${allowed} answers were allow`);
  // The peer is the least that one could do: one look-up of a joined key in a flat map.
  yield absolute('check/allow', 'µs', median(ours), { max: 0.5 }, median(peers));
}
