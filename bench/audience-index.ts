import { attributeTable, type AttributeDeclaration } from '#kernel/audiences/language/attributes.ts';
import { buildAudienceIndex, type Candidate } from '#kernel/audiences/index/audience-index.ts';
import type { Condition, Context } from '#kernel/audiences/language/language.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { countingSearch, linearSearch, microseconds, scoreShare } from './best-searches.ts';
import { absolute, median, type Figure } from './figure.ts';

const CANDIDATES = 100_000;
const LISTENERS = 512;
const BEST = 50;
const ROUNDS = 7;
const NOW_MS = Date.UTC(2026, 10, 22);

const text = (name: string, multiValued = false): AttributeDeclaration => ({ name, type: 'string', multiValued });
const ATTRIBUTES = [
  text('market'),
  text('plan'),
  text('device'),
  text('language'),
  text('ageBand'),
  text('genres', true),
  text('city'),
  text('platform'),
];

/** How many values each attribute has, how many of them a condition names, and how often candidates care. */
const SHAPE: Record<string, { values: number; named: number; weight: number }> = {
  market: { values: 80, named: 4, weight: 30 },
  plan: { values: 6, named: 2, weight: 15 },
  device: { values: 12, named: 3, weight: 15 },
  language: { values: 40, named: 2, weight: 10 },
  ageBand: { values: 6, named: 2, weight: 10 },
  genres: { values: 200, named: 5, weight: 12 },
  city: { values: 5_000, named: 5, weight: 4 },
  platform: { values: 4, named: 1, weight: 4 },
};

const lookup = { attributes: attributeTable(ATTRIBUTES), matcher: () => undefined };

/**
 * The best 50 of 100,000 candidates for one listener, as ad matching needs it: one to four conditions each, scores
 * between 0.9 and 1 times the bound. Beside it, with the same bounds and the same early exit, evaluating candidate after
 * candidate (linear), and counting satisfied conditions along posting lists (counting), which cannot stop early.
 */
export async function* run(): AsyncIterable<Figure> {
  const luck = chance(7);
  const candidates = Array.from({ length: CANDIDATES }, () => candidate(luck));
  const startedMs = performance.now();
  const index = buildAudienceIndex(candidates, lookup);
  yield absolute('audience-index/build 100,000', 's', (performance.now() - startedMs) / 1_000, { max: 2 });
  const listeners = Array.from({ length: LISTENERS }, () => listener(luck));
  const score = (number: number): number => (candidates[number]?.upperBound ?? 0) * scoreShare(number);
  const linear = linearSearch(candidates, score, { best: BEST, nowMs: NOW_MS, lookup });
  const counting = countingSearch(candidates, score, { best: BEST });
  for (const context of listeners.slice(0, 20)) {
    const found = index.best(context, NOW_MS, BEST, score).join();
    if (found !== linear(context).join() || found !== counting(context).join()) throw new Error('they do not agree');
  }
  const times = { index: [] as number[], linear: [] as number[], counting: [] as number[] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const took = {
      index: microseconds(listeners, 40, (context) => index.best(context, NOW_MS, BEST, score)),
      linear: microseconds(listeners.slice(0, 64), 1, linear),
      counting: microseconds(listeners.slice(0, 16), 1, counting),
    };
    if (round === 0) continue;
    times.index.push(took.index);
    times.linear.push(took.linear);
    times.counting.push(took.counting);
  }
  yield absolute('audience-index/best 50, linear', 'µs', median(times.index), { max: 15 }, median(times.linear));
  yield absolute('audience-index/best 50, counting', 'µs', median(times.index), { max: 15 }, median(times.counting));
}

function candidate(luck: Chance): Candidate {
  const count = 1 + Math.floor(luck.next() * 4);
  const names = new Set<string>();
  while (names.size < count)
    names.add(luck.pick(Object.entries(SHAPE).map(([name, { weight }]) => [name, weight] as const)));
  const allOf = [...names].map((attribute): Condition => {
    const { values = 1, named = 1 } = SHAPE[attribute] ?? {};
    const chosen = new Set(Array.from({ length: 1 + Math.floor(luck.next() * named) }, () => valueOf(luck, values)));
    return { attribute, in: [...chosen] };
  });
  return { rule: { anyOf: [{ allOf }] }, upperBound: luck.exponential(2) };
}

function listener(luck: Chance): Context {
  return Object.fromEntries(
    Object.entries(SHAPE).map(([name, { values }]) => [
      name,
      name === 'genres' ? Array.from({ length: 5 }, () => valueOf(luck, values)) : valueOf(luck, values),
    ]),
  );
}

/** Some values are far more common than others. */
function valueOf(luck: Chance, values: number): string {
  return `v${Math.floor(luck.next() ** 2 * values)}`;
}
