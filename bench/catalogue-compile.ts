import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { compile, update } from '#domains/products/decisions/compile.ts';
import { largeCatalogue, liveObject, worldOf } from './catalogue.ts';
import { absolute, median, type Figure } from './figure.ts';
import { startBackline } from './load.ts';

const ROUNDS = 7;
const EDITS = 21;

/**
 * Compiling a catalogue of 200 markets × 10 plans × 100 features, one price edit in the table, and the same edit from
 * the PATCH until a decision answers with it.
 */
export async function* run(): AsyncIterable<Figure> {
  const objects = largeCatalogue();
  const world = worldOf(objects);
  const full: number[] = [];
  let table = compile(world);
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    table = compile(world);
    full.push((performance.now() - started) / 1000);
  }
  const edits: number[] = [];
  const firstPrice = objects.find(({ kind }) => kind === 'Price');
  if (firstPrice === undefined) throw new Error('the catalogue has no price');
  for (let edit = 0; edit < EDITS; edit += 1) {
    const price = liveObject(withAmount(firstPrice, edit));
    const started = performance.now();
    world.set(price);
    table = update(table, world, [{ kind: price.kind, name: price.name }]);
    edits.push(performance.now() - started);
  }
  yield absolute('catalogue-compile/full', 's', median(full), { max: 1 });
  yield absolute('catalogue-compile/one-price', 'ms', median(edits), { max: 20 }, median(full) * 1000);

  const backline = await startBackline(['--no-sample']);
  try {
    const headers = { authorization: `Bearer ${backline.token}`, 'content-type': 'application/json' };
    const applied = await fetch(`${backline.url}/apis/releases.backline.dev/v1/changesets`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        apiVersion: 'releases.backline.dev/v1',
        kind: 'ChangeSet',
        metadata: {},
        spec: { objects },
      }),
    });
    if (applied.status !== 201) throw new Error(await applied.text());
    await applied.arrayBuffer();
    const market = objects.find(({ kind }) => kind === 'Market')?.metadata.name ?? '';
    const amount = async () => {
      const answer = await fetch(`${backline.url}/v1/prices?market=${market}&plan=plan-0&at=2999-06-01`);
      const { prices } = (await answer.json()) as { prices?: { amount?: string }[] };
      return prices?.[0]?.amount;
    };
    const visible: number[] = [];
    for (let edit = 0; edit < EDITS; edit += 1) {
      const wanted = `${20 + edit}.00`;
      const timeline = [
        { from: '2024-01-01', amount: '9.99', currency: 'EUR' },
        { from: '2999-01-01', amount: wanted, currency: 'EUR' },
      ];
      const started = performance.now();
      const answer = await fetch(
        `${backline.url}/apis/products.backline.dev/v1/namespaces/default/prices/plan-0-${market}`,
        {
          method: 'PATCH',
          headers: { ...headers, 'content-type': 'application/merge-patch+json' },
          body: JSON.stringify({ spec: { timeline } }),
        },
      );
      if (answer.status !== 200) throw new Error(await answer.text());
      while ((await amount()) !== wanted) await new Promise((resolve) => setImmediate(resolve));
      visible.push(performance.now() - started);
    }
    yield absolute('catalogue-compile/edit-to-answer', 'ms', median(visible), { max: 50 });
  } finally {
    await backline.close();
  }
}

function withAmount(object: ResourceObject, edit: number): ResourceObject {
  const spec = {
    ...(object.spec as object),
    timeline: [{ from: '2024-01-01', amount: `${10 + edit}.99`, currency: 'EUR' }],
  };
  return { ...object, spec };
}
